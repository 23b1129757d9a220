//! Programs that a check needs and that are not part of Rust: found, or installed where that is possible.

use std::env;
use std::path::{Path, PathBuf};

use crate::process::{Cmd, Failure, Result};

/// The path of the first of these programs that is in `PATH`; if there is none, installs the package.
pub(crate) fn need(program: &[&str], package: &str) -> Result<PathBuf> {
    let find = || program.iter().find_map(|name| in_path(name));
    or_install(find, &program.join(" or "), &[package])
}

/// What `find` finds, once the packages are installed if it finds nothing now.
///
/// They are installed only where `apt-get` is there and may be used; everywhere else the failure says what to
/// install.
pub(crate) fn or_install(
    find: impl Fn() -> Option<PathBuf>,
    what: &str,
    packages: &[&str],
) -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let names = packages.join(" ");
    let noun = if packages.len() == 1 {
        "package"
    } else {
        "packages"
    };
    let missing = format!("needs {what}: install the {noun} {names}");
    if in_path("apt-get").is_none() || !is_root() {
        return Err(Failure::new(missing));
    }
    let apt = |args: &[&str]| {
        let cmd = Cmd::new("apt-get", Path::new("/")).args(args);
        cmd.env("DEBIAN_FRONTEND", "noninteractive")
            .run(&format!("install {names}"))
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())?;
    find().ok_or_else(|| Failure::new(missing))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut candidates = env::split_paths(&path).map(|dir| dir.join(name));
    candidates.find(|file| is_program(file))
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let data = file.metadata();
    data.is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// Whether packages may be installed: nothing in std knows, so `id` is asked.
pub(crate) fn is_root() -> bool {
    let id = Cmd::new("id", Path::new("/"))
        .args(["-u"])
        .quiet_stdout("who we are");
    id.is_ok_and(|number| number.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_first_program_that_is_there_is_taken() {
        let found = need(&["kumi-no-such-program", "sh"], "dash").unwrap();
        assert!(found.is_absolute() && found.ends_with("sh"), "{found:?}");
        assert_eq!(in_path("kumi-no-such-program"), None);
    }
}
