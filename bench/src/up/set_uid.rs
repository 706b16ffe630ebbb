//! Services of an unprivileged user, each with a child that has the set-uid bit of another user.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use nix::unistd::geteuid;

use super::stack::SERVICE;
use crate::Result;
use crate::env::{BenchEnv, run};

/// The owner of the program. No account has to exist for it.
const OWNER: u32 = 65_533;

/// An unprivileged environment, and a program for its services. The kernel hides what such a process
/// has inherited, so a tool cannot recognize it by its environment, and clears its parent-death signal.
#[derive(Debug)]
pub(super) struct SetUid {
    pub(super) env: BenchEnv,
    /// A copy of the helper with the set-uid bit.
    pub(super) program: PathBuf,
    /// Contains the program. Files in `env` change their owner, which would remove the bit.
    _dir: tempfile::TempDir,
}

impl SetUid {
    /// # Errors
    /// The reason why it is not possible here.
    pub(super) fn new(env: &BenchEnv) -> Result<Self> {
        if !geteuid().is_root() {
            return Err("only root can run tools as another user".to_owned());
        }
        let fail = |error: std::io::Error| error.to_string();
        let unprivileged = env.unprivileged()?;
        let dir = tempfile::Builder::new()
            .prefix("set-uid-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(&env.cache)
            .map_err(fail)?;
        let program = dir.path().join(SERVICE);
        fs::copy(&env.helper, &program)
            .and_then(|_| chown(&program, Some(OWNER), None))
            // After the change of the owner, which removes the bit.
            .and_then(|()| fs::set_permissions(&program, Permissions::from_mode(0o4755)))
            .map_err(fail)?;
        run(unprivileged
            .command(&program, "set-uid-home")
            .arg("helper:check-set-uid"))?;
        Ok(Self {
            env: unprivileged,
            program,
            _dir: dir,
        })
    }
}
