//! What a compose service lacks and no example provides.

use std::path::Path;

use portway_project::kind::Kind;
use portway_project::mapping::Place;
use serde_json::Value;

use super::example_env::line_of;
use super::examples::existing;
use super::resolve::place as place_of;
use super::{Dir, File, images, value};
use crate::variables::is_example;
use crate::yaml::strings;

/// Variables without which the image of a database refuses to start.
const REQUIRED_BY_IMAGES: [&str; 3] = [
    "MARIADB_ROOT_PASSWORD",
    "MYSQL_ROOT_PASSWORD",
    "POSTGRES_PASSWORD",
];

/// Variables of which the images of a database need one to create it.
const NEEDED: [(Kind, &[&str]); 2] = [
    (
        Kind::Postgres,
        &[
            "POSTGRES_PASSWORD",
            "POSTGRES_PASSWORD_FILE",
            "POSTGRES_HOST_AUTH_METHOD",
        ],
    ),
    (
        Kind::Mysql,
        &[
            "MYSQL_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD_FILE",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "MYSQL_RANDOM_ROOT_PASSWORD",
            "MARIADB_ROOT_PASSWORD",
            "MARIADB_ROOT_PASSWORD_FILE",
            "MARIADB_ROOT_PASSWORD_HASH",
            "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
            "MARIADB_RANDOM_ROOT_PASSWORD",
        ],
    ),
];

/// Images with other variables than the official ones.
const OTHER_IMAGES: [&str; 3] = ["bitnami", "supabase", "cimg/"];

/// Something that a compose service lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where the compose file names it. Line 0 if the line is not known.
    pub place: Place,
    /// What it is.
    pub part: MissingPart,
}

/// What a compose service can lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingPart {
    /// A file of `env_file`, relative to the root.
    EnvFile(String),
    /// A variable that Compose interpolates.
    Variable {
        /// Its name.
        name: String,
        /// The file from which Compose takes its value, relative to the root.
        env_file: String,
        /// Where an example file has a value for it.
        example: Option<Place>,
    },
    /// A variable without which the image of a database does not create one.
    Password {
        /// Its name.
        name: &'static str,
        /// The image.
        image: String,
        /// The file from which the container gets its variables, relative to the root, if it has one.
        env_file: Option<String>,
    },
}

/// Returns what the service `name` in the compose file at `path`, relative to `root`, lacks: files and
/// variables without which it cannot start, and for which no example stands in. `is_set` returns whether the
/// environment has a variable.
pub fn missing(root: &Path, path: &str, name: &str, is_set: &dyn Fn(&str) -> bool) -> Vec<Missing> {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let Some(file) = File::at(&root, path) else {
        return Vec::new();
    };
    let Some(service) = file.compose.services.get(name) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for env_file in &service.env_files {
        let is_optional = service.optional_env_files.contains(env_file);
        if is_optional || existing(&file.dir, env_file).is_some() {
            continue;
        }
        let whole = value::join(file.dir.path(), env_file);
        all.push(Missing {
            place: place(line_of(&file, |line| line.contains(env_file.as_str()))),
            part: MissingPart::EnvFile(whole.unwrap_or_else(|| env_file.clone())),
        });
    }
    let is_needed_by_image = |name: &str| {
        let mut of_image = service.environment.iter();
        of_image.any(|(key, value)| REQUIRED_BY_IMAGES.contains(&key.as_str()) && value.is_empty())
            && REQUIRED_BY_IMAGES.iter().any(|key| {
                let line = line_of(&file, |line| line.contains(key) && refers_to(line, name));
                line.1 > 0
            })
    };
    let mut names: Vec<String> = Vec::new();
    for one in file.needed(name, is_set) {
        if names.contains(&one.name) || !(one.is_required || is_needed_by_image(&one.name)) {
            continue;
        }
        all.push(Missing {
            place: place(line_of(&file, |line| refers_to(line, &one.name))),
            part: MissingPart::Variable {
                env_file: file.dir.path_of(".env"),
                example: example(&file.dir, &one.name),
                name: one.name.clone(),
            },
        });
        names.push(one.name);
    }
    if all.is_empty() {
        all.extend(password(&file, name));
    }
    all
}

/// Returns the password that a database needs, if nothing sets it.
fn password(file: &File<'_>, name: &str) -> Option<Missing> {
    let service = file.compose.services.get(name)?;
    let image = service.image.as_deref()?;
    let kind = images::known(image)?.kind;
    let (_, needed) = NEEDED.iter().find(|(of, _)| *of == kind)?;
    if service.build.is_some() || OTHER_IMAGES.iter().any(|other| image.contains(other)) {
        return None;
    }
    // A name without a value comes from the environment.
    let own = file.value.get("services")?.get(name)?.get("environment");
    let own: Vec<String> = match own {
        Some(Value::Object(map)) => map.keys().cloned().collect(),
        Some(list) => strings(list)
            .iter()
            .map(|entry| entry.split('=').next().unwrap_or_default().to_owned())
            .collect(),
        None => Vec::new(),
    };
    let of_files = service.env_files.iter().flat_map(|path| {
        let path = existing(&file.dir, path);
        let found = path.and_then(|path| place_of(&file.dir, &path));
        let all = found.and_then(|(dir, name)| dir.dotenv(&name));
        all.unwrap_or_default().into_keys()
    });
    let mut all = own.into_iter().chain(of_files);
    if all.any(|variable| needed.contains(&variable.as_str())) {
        return None;
    }
    let env_file = service.env_files.first();
    let env_file = env_file.and_then(|path| value::join(file.dir.path(), path));
    Some(Missing {
        place: place(line_of(file, |line| {
            line.contains("image") && line.contains(image)
        })),
        part: MissingPart::Password {
            name: needed[0],
            image: image.to_owned(),
            env_file,
        },
    })
}

fn place((file, line): (String, usize)) -> Place {
    Place { file, line }
}

/// Returns whether a line refers to a variable: `$NAME`, `${NAME}`, `${NAME:?error}`.
fn refers_to(line: &str, name: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let mut parts = line.split('$').skip(1);
    parts.any(|part| {
        let part = part.strip_prefix('{').unwrap_or(part);
        part.strip_prefix(name).is_some_and(ends)
    })
}

/// Returns where an example in a directory has a value for a variable.
fn example(dir: &Dir<'_>, name: &str) -> Option<Place> {
    dir.files()
        .filter(|file| is_example(file))
        .find_map(|file| {
            let text = dir.read(file)?;
            let (all, _) = portway_project::dotenv::assignments(&text, &|_| None);
            let one = all
                .into_iter()
                .find(|one| one.name == name && !one.value.is_empty())?;
            Some(Place {
                file: dir.path_of(file),
                line: one.line,
            })
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::example_env::nothing_set;
    use super::*;

    fn of(files: &[(&str, &str)], path: &str, name: &str) -> Vec<Missing> {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        missing(temp.path(), path, name, &nothing_set)
    }

    fn at(file: &str, line: usize) -> Place {
        Place {
            file: file.to_owned(),
            line,
        }
    }

    #[test]
    fn names_what_no_example_provides_with_its_line() {
        let compose = (
            "docker/compose.yaml",
            "services:
  # env_file: settings/db.env
  db:
    image: postgres
    env_file:
      - settings/db.env
    environment:
      POSTGRES_USER: ${DB_USER:-app}
      POSTGRES_PASSWORD: ${DB_PASS}
      TOKEN: ${TOKEN:?set it}
      NOTE: ${NOTE}
  web:
    image: x
    environment: {A: '${WEB:?}'}
",
        );
        let env = ("docker/.env", "A=1\n");
        let example = ("docker/.env.example", "# all\nTOKEN=x\n");
        let variable = |name: &str, example| MissingPart::Variable {
            name: name.to_owned(),
            env_file: "docker/.env".to_owned(),
            example,
        };
        let expected = [
            Missing {
                place: at("docker/compose.yaml", 6),
                part: MissingPart::EnvFile("docker/settings/db.env".to_owned()),
            },
            Missing {
                place: at("docker/compose.yaml", 9),
                part: variable("DB_PASS", None),
            },
            Missing {
                place: at("docker/compose.yaml", 10),
                part: variable("TOKEN", Some(at("docker/.env.example", 2))),
            },
        ];
        let files = [compose, env, example];
        let found = of(&files, "docker/compose.yaml", "db");
        // An example stands in for the file.
        assert_eq!(found, expected[1..]);
        let found = of(&files[..2], "docker/compose.yaml", "db");
        assert_eq!(found[0], expected[0]);
        assert_eq!(found[2].part, variable("TOKEN", None));
        let full = ("docker/.env", "DB_PASS=x\nTOKEN=x\n");
        let settings = ("docker/settings/db.env", "");
        assert_eq!(
            of(&[compose, full, settings], "docker/compose.yaml", "db"),
            []
        );
    }

    #[test]
    fn a_database_needs_a_password_to_be_created() {
        let compose = "services:\n  db:\n    image: postgres:16\n    env_file: .env\n";
        let of_db = |compose: &str, env: &str| {
            of(
                &[("compose.yaml", compose), (".env", env)],
                "compose.yaml",
                "db",
            )
        };
        let expected = Missing {
            place: at("compose.yaml", 3),
            part: MissingPart::Password {
                name: "POSTGRES_PASSWORD",
                image: "postgres:16".to_owned(),
                env_file: Some(".env".to_owned()),
            },
        };
        assert_eq!(of_db(compose, "A=1\n"), [expected]);
        assert_eq!(of_db(compose, "POSTGRES_PASSWORD=x\n"), []);
        let inherited = format!("{compose}    environment: [POSTGRES_PASSWORD]\n");
        assert_eq!(of_db(&inherited, ""), []);
        let trust = format!("{compose}    environment: {{POSTGRES_HOST_AUTH_METHOD: trust}}\n");
        assert_eq!(of_db(&trust, ""), []);
        let other = compose.replace("postgres:16", "bitnami/postgresql:16");
        assert_eq!(of_db(&other, ""), []);
    }
}
