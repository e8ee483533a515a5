//! Layer: the rare faults. The file with the admin's password (rule S5.8).

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::console;

/// The first line of the file, without blanks around it and without the mark that some editors
/// write at the beginning of a text (a byte order mark).
pub fn read(file: &Path) -> anyhow::Result<String> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the admin's password from {name}"))?;
    let password = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim();
    if password.is_empty() {
        bail!("{name} has no password in its first line");
    }
    if text.starts_with('\u{feff}') {
        console::warn(format_args!("{name} begins with a byte order mark, which is no password"));
    }
    warn_of_readers(file);
    Ok(password.to_string())
}

#[cfg(unix)]
fn warn_of_readers(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_MAY_READ: u32 = 0o044;
    let mode = fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode());
    if mode & OTHERS_MAY_READ != 0 {
        let name = file.display();
        console::warn(format_args!("others can read the password in {name}: chmod 600 {name}"));
    }
}

/// Windows has lists of rights in the place of a mode; the standard library does not show them.
#[cfg(not(unix))]
fn warn_of_readers(_: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: Option<&str>) {
        let file = std::env::temp_dir().join(format!("stage5-{name}-{}", std::process::id()));
        fs::write(&file, text).unwrap();
        let password = read(&file).ok();
        fs::remove_file(&file).unwrap();
        assert_eq!(password.as_deref(), expected);
    }

    #[test]
    fn the_password_is_the_first_line() {
        check("lines", "open sesame \r\nsecond\n", Some("open sesame"));
        check("bom", "\u{feff}open sesame\n", Some("open sesame"));
        check("empty", "\u{feff}\nsecond\n", None);
    }
}
