use std::collections::HashMap;

use super::*;

#[test]
fn the_default_path_follows_the_conventions_of_the_system() {
    let path = |variables: &[(&str, &str)], windows| {
        let variables: HashMap<&str, OsString> = variables
            .iter()
            .map(|(name, value)| (*name, OsString::from(value)))
            .collect();
        default_path(&|name| variables.get(name).cloned(), windows)
    };
    assert_eq!(
        path(&[("APPDATA", "C:\\a"), ("HOME", "/h")], true),
        Some(Path::new("C:\\a").join("portway").join("config.toml"))
    );
    // On Windows, a path without a drive is not absolute.
    if cfg!(windows) {
        return;
    }
    let home = ("HOME", "/h");
    assert_eq!(
        path(&[home], false),
        Some("/h/.config/portway/config.toml".into())
    );
    let xdg = ("XDG_CONFIG_HOME", "/c");
    assert_eq!(
        path(&[home, xdg], false),
        Some("/c/portway/config.toml".into())
    );
    let relative = ("XDG_CONFIG_HOME", "c");
    assert_eq!(
        path(&[home, relative], false),
        Some("/h/.config/portway/config.toml".into())
    );
    assert_eq!(path(&[], false), None);
}

/// Replaces the text of the file.
fn replace_text(file: &Path, text: &str) -> Result<bool, ConfigFileError> {
    super::change(file, |_| Ok(Some(text.to_owned())))
}

#[cfg(unix)]
#[test]
fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("portway/config.toml");
    assert!(replace_text(&file, "moved = \"ask\"\n").unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(replace_text(&file, "color = \"never\"\n").unwrap());
    assert_eq!(mode(&file), 0o640);
    assert_eq!(read(&file).unwrap().len(), 1);
    // No temporary file remains.
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_a_link() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("config.toml");
    let dotfiles = temp.path().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    let real = dotfiles.join("portway.toml");
    // The target of the link does not exist yet.
    std::os::unix::fs::symlink("dotfiles/portway.toml", &file).unwrap();
    for text in ["moved = \"ask\"\n", "color = \"never\"\n"] {
        assert!(replace_text(&file, text).unwrap());
        assert!(file.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), text);
    }
    let cycle = temp.path().join("cycle");
    std::os::unix::fs::symlink("cycle", &cycle).unwrap();
    assert!(
        replace_text(&cycle, "")
            .unwrap_err()
            .to_string()
            .contains("form a cycle")
    );
}

#[test]
fn an_invalid_file_is_rejected_and_unchanged() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("config.toml");
    let rejected = |text: &str| {
        fs::write(&file, text).unwrap();
        let error = replace_text(&file, "color = \"never\"").unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        error.to_string()
    };
    assert!(rejected("movd = 1").contains("unknown key `movd`"));
    assert!(!rejected("moved = \"ask").is_empty());
    // The new text is checked too.
    fs::write(&file, "# good\n").unwrap();
    assert!(replace_text(&file, "moved = 3").is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "# good\n");
    fs::write(&file, [b'#', 0xff, b'\n']).unwrap();
    assert!(
        read(&file)
            .unwrap_err()
            .to_string()
            .starts_with("cannot read `")
    );
    let large = fs::File::create(&file).unwrap();
    large.set_len(1 << 30).unwrap();
    drop(large);
    assert!(
        read(&file)
            .unwrap_err()
            .to_string()
            .ends_with("larger than 1 MiB")
    );
    fs::remove_file(&file).unwrap();
    assert!(read(&file).unwrap().is_empty());
    fs::create_dir(&file).unwrap();
    assert!(
        read(&file)
            .unwrap_err()
            .to_string()
            .ends_with("it is a directory")
    );
}
