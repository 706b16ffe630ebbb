//! .NET: projects of the web SDK, and Blazor projects that run in the browser.
//!
//! Project files are not parsed as XML: the SDK's name in quotes identifies the kind of project.

use serde_json::Value;

use super::literal::numbers;
use super::shell::has_placeholder;
use super::{DetectContext, DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// SDKs whose projects serve, with the framework name.
const SDKS: [(&str, &str, Kind); 2] = [
    (
        "Microsoft.NET.Sdk.BlazorWebAssembly",
        "blazor",
        Kind::Frontend,
    ),
    ("Microsoft.NET.Sdk.Web", "aspnet", Kind::Http),
];

/// Calls that set a fixed address.
const FIXED_ADDRESS_CALLS: [&str; 6] = [
    ".Run(\"",
    ".RunAsync(\"",
    "UseUrls(\"",
    "Urls.Add(\"",
    "ListenLocalhost(",
    "ListenAnyIP(",
];

/// Maximum number of projects whose settings are searched.
const MAX_PROJECTS: usize = 50;

const URL: &str = "http://{host}:{port}";

/// Detects the .NET services in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let files = dir.files().filter(|name| {
        [".csproj", ".fsproj", ".vbproj"]
            .iter()
            .any(|end| name.ends_with(end))
    });
    let files: Vec<&str> = files.collect();
    let found = files.iter().filter_map(|file| {
        let only = files.len() == 1;
        project(dir, file, only, context)
    });
    found.collect()
}

/// Builds the service of one project file; `only` means that `dotnet` finds it without an argument.
fn project(
    dir: &Dir<'_>,
    file: &str,
    only: bool,
    context: &DetectContext<'_>,
) -> Option<DetectedService> {
    let text = dir.read(file)?;
    let (sdk, name, kind) = SDKS.into_iter().find(|(sdk, _, _)| {
        [format!("\"{sdk}\""), format!("\"{sdk}/")]
            .iter()
            .any(|quoted| text.contains(quoted))
    })?;
    let is_other = ["Microsoft.NET.Test.Sdk", "<OutputType>Library<"];
    if is_other.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let (build, run) = match only {
        true => (String::new(), String::new()),
        false => (
            format!(" {}", quote(file)),
            format!(" --project {}", quote(file)),
        ),
    };
    let command = format!("dotnet run{run} --no-launch-profile");
    let profile = profile(dir);
    let called = profile
        .as_ref()
        .and_then(|profile| called(dir, &profile.ports));
    let first = profile
        .as_ref()
        .and_then(|profile| profile.ports.first().copied());
    let usual = called.as_ref().map(|(port, _)| *port).or(first);
    let usual = usual.unwrap_or(5000);
    let mut found = DetectedService::http(dir, name, command, context.port(name, usual))
        .with_kind(kind)
        // Building in the prepare step keeps compile time out of the readiness timeout.
        .with_prepare(format!("dotnet build{build}"))
        .with_env("ASPNETCORE_URLS", URL)
        .with_env("ASPNETCORE_ENVIRONMENT", "Development")
        .with_evidence(format!("{} uses the SDK `{sdk}`", dir.path_of(file)));
    if let Some(profile) = profile {
        found.is_port_written = !profile.ports.is_empty();
        for (name, value) in &profile.variables {
            found = found.with_env(name, value);
        }
        found = found.with_evidence(format!(
            "its variables and its default port come from the profile `{}` in {}",
            profile.name,
            dir.path_of("Properties/launchSettings.json")
        ));
        if let Some((port, file)) = called {
            found = found.with_evidence(format!("{file} calls it on port {port}"));
        }
    }
    if let Some((name, port, file)) = endpoint(dir) {
        let variable = format!("Kestrel__Endpoints__{name}__Url");
        found.port = Some(context.port(found.framework, port));
        found.is_port_written = true;
        found = found.with_env(&variable, URL).with_evidence(format!(
            "{file} sets an address for Kestrel, which `{variable}` overrides"
        ));
    }
    if let Some((port, place)) = fixed(dir) {
        found.port = Some(DetectedPort::Fixed(port));
        found = found.with_evidence(format!(
            "{place} requires port {port}; remove it to use `ASPNETCORE_URLS`"
        ));
    }
    Some(found.requiring("dotnet", context))
}

/// A profile of `launchSettings.json`.
struct Profile {
    name: String,
    /// Its ports, that of plain HTTP first.
    ports: Vec<u16>,
    variables: Vec<(String, String)>,
}

/// Returns the profile named `http`, or else the first that runs the project itself.
fn profile(dir: &Dir<'_>) -> Option<Profile> {
    let settings = dir.sub("Properties")?.jsonc("launchSettings.json")?;
    let profiles = settings["profiles"].as_object()?;
    let runs = |profile: &Value| profile["commandName"] == "Project";
    let named = profiles.get_key_value("http").filter(|(_, one)| runs(one));
    let (name, profile) = named.or_else(|| profiles.iter().find(|(_, one)| runs(one)))?;
    let urls = profile["applicationUrl"].as_str().unwrap_or("");
    let of = |scheme| urls.split(';').find_map(|url| port_of(url, scheme));
    let ports = of("http://").into_iter().chain(of("https://"));
    let variables = profile["environmentVariables"].as_object();
    let text = |(name, value): (&String, &Value)| {
        let value = value.as_str().filter(|value| !has_placeholder(value))?;
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_free = is_name && !name.is_empty() && !name.ends_with("_URLS");
        is_free.then(|| (name.clone(), value.to_owned()))
    };
    Some(Profile {
        name: name.clone(),
        ports: ports.collect(),
        variables: variables.into_iter().flatten().filter_map(text).collect(),
    })
}

/// Returns the port on which the settings of the projects beside this one call it, if it is one of several,
/// and the file. Addresses of the other ports would not be found.
fn called(dir: &Dir<'_>, ports: &[u16]) -> Option<(u16, String)> {
    if ports.len() < 2 {
        return None;
    }
    let above = dir.up()?;
    let places = above.subs().take(MAX_PROJECTS);
    let places = places.flat_map(|place| [place.sub("wwwroot"), Some(place)]);
    let mut found = places.flatten().flat_map(|place| {
        let is_settings = |name: &&str| name.starts_with("appsettings") && name.ends_with(".json");
        let files = place.files().filter(is_settings);
        let read = files.filter_map(|name| Some((place.path_of(name), place.read(name)?)));
        read.collect::<Vec<_>>()
    });
    found.find_map(|(file, text)| {
        let is_called = |port: &&u16| {
            let address = format!("localhost:{port}");
            let mut ends = text.match_indices(&address).map(|(at, one)| at + one.len());
            ends.any(|end| !text[end..].starts_with(|c: char| c.is_ascii_digit()))
        };
        let port = ports.iter().find(is_called)?;
        Some((*port, file))
    })
}

/// Returns the port of a URL with this scheme.
fn port_of(url: &str, scheme: &str) -> Option<u16> {
    let host = url.trim().strip_prefix(scheme)?;
    let (_, port) = host.trim_end_matches('/').rsplit_once(':')?;
    port.parse().ok().filter(|port| *port > 0)
}

/// Returns Kestrel's first plain HTTP endpoint in the settings: its name, its port and the file.
fn endpoint(dir: &Dir<'_>) -> Option<(String, u16, String)> {
    let files = ["appsettings.Development.json", "appsettings.json"];
    files.into_iter().find_map(|file| {
        let settings = dir.jsonc(file)?;
        let endpoints = settings["Kestrel"]["Endpoints"].as_object()?;
        let first = endpoints.iter().find_map(|(name, endpoint)| {
            let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
            let port = port_of(endpoint["Url"].as_str()?, "http://")?;
            is_word.then(|| (name.clone(), port))
        });
        first.map(|(name, port)| (name, port, dir.path_of(file)))
    })
}

/// Returns the port that the program's code sets, with file and line.
fn fixed(dir: &Dir<'_>) -> Option<(u16, String)> {
    let files = ["Program.cs", "Startup.cs", "Program.fs"];
    files.into_iter().find_map(|file| {
        let text = dir.read(file)?;
        let mut lines = text.lines().enumerate();
        lines.find_map(|(index, line)| {
            let (_, behind) = FIXED_ADDRESS_CALLS
                .iter()
                .find_map(|call| line.split_once(call))?;
            let (port, _) = numbers(behind).next()?;
            let is_comment = line.trim_start().starts_with("//");
            (!is_comment).then(|| (port, format!("{}:{}", dir.path_of(file), index + 1)))
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::DetectedPort;
    use crate::fixture::{checkout, only};
    use portway_project::kind::Kind;

    const WEB: &str = "<Project Sdk=\"Microsoft.NET.Sdk.Web\">\n</Project>\n";

    #[test]
    fn prefers_the_port_that_other_projects_call() {
        let settings = |http: u16, https: u16| {
            format!(
                "{{\"profiles\": {{\"x\": {{\"commandName\": \"Project\", \"applicationUrl\": \"https://localhost:{https};http://localhost:{http}\"}}}}}}"
            )
        };
        let (shop, stock) = (settings(5110, 5111), settings(5112, 5113));
        for (file, address, expected) in [
            (
                "src/Shop/appsettings.json",
                "https://localhost:5113/api",
                5113,
            ),
            (
                "src/Shop/wwwroot/appsettings.Development.json",
                "https://localhost:5113",
                5113,
            ),
            ("src/Shop/appsettings.json", "http://localhost:5112/", 5112),
            (
                "src/Shop/appsettings.json",
                "https://localhost:51134/",
                5112,
            ),
            ("src/Shop/other.json", "https://localhost:5113/", 5112),
        ] {
            let text = format!("{{\"stock\": \"{address}\"}}");
            let detection = checkout(
                &[
                    ("src/Shop/Shop.csproj", WEB),
                    ("src/Shop/Properties/launchSettings.json", &shop),
                    ("src/Stock/Stock.csproj", WEB),
                    ("src/Stock/Properties/launchSettings.json", &stock),
                    (file, &text),
                ],
                &["dotnet"],
            );
            let ports: Vec<Option<u16>> =
                detection.services.iter().map(|one| one.prefers()).collect();
            assert_eq!(ports, [Some(5110), Some(expected)], "{file} {address}");
        }
    }

    #[test]
    fn detects_a_project_of_the_web_sdk() {
        let found = only(&[("src/Api/Api.csproj", WEB)], &["dotnet"]);
        assert_eq!(found.command, "dotnet run --no-launch-profile");
        assert_eq!(found.prepare.as_deref(), Some("dotnet build"));
        assert_eq!((found.framework, found.prefers()), ("aspnet", Some(5000)));
        assert_eq!(found.env["ASPNETCORE_URLS"], "http://{host}:{port}");
        assert_eq!(found.env["ASPNETCORE_ENVIRONMENT"], "Development");
        found.has_evidence("src/Api/Api.csproj uses the SDK `Microsoft.NET.Sdk.Web`");
        only(&[("A.csproj", WEB)], &[]).has_evidence("it requires `dotnet`");
    }

    #[test]
    fn reads_port_and_variables_from_launch_settings() {
        let settings = "\u{feff}{\n  // x\n  \"profiles\": {\n \"IIS Express\": {\"commandName\": \"IISExpress\"},\n \"https\": {\"commandName\": \"Project\", \"applicationUrl\": \"https://localhost:7042;http://localhost:5142\",\n \"environmentVariables\": {\"ASPNETCORE_ENVIRONMENT\": \"Local\", \"ASPNETCORE_URLS\": \"x\", \"N\": 1},}}}";
        let found = only(
            &[
                ("A.csproj", WEB),
                ("Properties/launchSettings.json", settings),
            ],
            &["dotnet"],
        );
        assert_eq!(found.prefers(), Some(5142));
        assert_eq!(found.env["ASPNETCORE_ENVIRONMENT"], "Local");
        assert_eq!(found.env["ASPNETCORE_URLS"], "http://{host}:{port}");
        found.has_evidence("the profile `https` in Properties/launchSettings.json");
        let broken = checkout(
            &[("A.csproj", WEB), ("Properties/launchSettings.json", "{")],
            &[],
        );
        assert_eq!(broken.services.len(), 1);
        assert_eq!(broken.skipped[0].file, "Properties/launchSettings.json");
    }

    #[test]
    fn reads_addresses_from_code_and_settings() {
        let found = only(
            &[
                ("A.csproj", WEB),
                ("Program.cs", "// x\napp.Run(\"http://localhost:5005\");"),
            ],
            &[],
        );
        assert_eq!(found.port, Some(DetectedPort::Fixed(5005)));
        found.has_evidence("Program.cs:2 requires port 5005");
        let settings = r#"{"Kestrel": {"Endpoints": {"Http": {"Url": "http://*:6000/"}}}}"#;
        let found = only(&[("A.csproj", WEB), ("appsettings.json", settings)], &[]);
        assert_eq!(found.prefers(), Some(6000));
        assert_eq!(
            found.env["Kestrel__Endpoints__Http__Url"],
            "http://{host}:{port}"
        );
    }

    #[test]
    fn separates_several_projects() {
        let blazor = "<Project Sdk=\"Microsoft.NET.Sdk.BlazorWebAssembly\">";
        let detection = checkout(&[("A.csproj", WEB), ("B.fsproj", blazor)], &[]);
        let services: Vec<_> = detection
            .services
            .iter()
            .map(|s| (s.command.as_str(), s.kind))
            .collect();
        assert_eq!(
            services,
            [
                (
                    "dotnet run --project A.csproj --no-launch-profile",
                    Kind::Http
                ),
                (
                    "dotnet run --project B.fsproj --no-launch-profile",
                    Kind::Frontend
                ),
            ]
        );
    }

    #[test]
    fn ignores_libraries_and_tests() {
        for text in [
            "<Project Sdk=\"Microsoft.NET.Sdk\">",
            "<Project Sdk=\"Microsoft.NET.Sdk.Razor\">",
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PackageReference Include=\"Microsoft.NET.Test.Sdk\" />",
            "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><OutputType>Library</OutputType>",
        ] {
            assert!(
                checkout(&[("A.csproj", text)], &[]).services.is_empty(),
                "{text}"
            );
        }
    }
}
