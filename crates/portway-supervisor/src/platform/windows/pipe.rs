//! The control socket as a named pipe that its owner alone may open.

use std::ffi::c_void;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;

/// Everything for the owner and for the system, nothing for anyone else, nothing inherited.
const OWNER_ONLY: &str = "D:P(A;;GA;;;OW)(A;;GA;;;SY)";

/// How soon a client tries again while every instance of the pipe is taken.
const BUSY: Duration = Duration::from_millis(10);

/// How long a server waits when the system refuses it a new instance of the pipe.
const REFUSED: Duration = Duration::from_millis(100);

/// The pipe's name for a path that, on other systems, has the socket: pipes have no directories
/// and at most 256 characters.
fn name(path: &Path) -> String {
    // FNV-1a, which is the same in every version of the program.
    let hash = path
        .to_string_lossy()
        .to_lowercase()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!(r"\\.\pipe\portway-{hash:016x}")
}

/// Reaches the instance whose control socket would lie at `path`.
pub(crate) async fn connect(path: &Path) -> io::Result<NamedPipeClient> {
    let name = name(path);
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()) => {
                tokio::time::sleep(BUSY).await;
            }
            other => return other,
        }
    }
}

/// Accepts connections of this user.
pub(crate) struct ControlListener {
    name: String,
    /// The instance of the pipe that the next client gets: there always is one.
    next: NamedPipeServer,
}

impl ControlListener {
    /// Fails when anyone else has a pipe of this name.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let name = name(path);
        let next = instance(&name, true)?;
        Ok(Self { name, next })
    }
}

impl axum::serve::Listener for ControlListener {
    type Io = NamedPipeServer;
    type Addr = String;

    async fn accept(&mut self) -> (NamedPipeServer, String) {
        loop {
            let connected = self.next.connect().await;
            // The next one is made before this one is served.
            match instance(&self.name, false) {
                Ok(next) => {
                    let this = std::mem::replace(&mut self.next, next);
                    if connected.is_ok() {
                        return (this, self.name.clone());
                    }
                }
                Err(_) => tokio::time::sleep(REFUSED).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<String> {
        Ok(self.name.clone())
    }
}

/// One instance of the pipe. Each needs the descriptor anew: without one, everybody may read.
fn instance(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    let text: Vec<u16> = OWNER_ONLY.encode_utf16().chain([0]).collect();
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the text ends with a zero. The descriptor that the first call makes lives until it is
    // freed below, and so do the attributes that name it while the pipe is made.
    #[allow(unsafe_code)]
    unsafe {
        let made = ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            std::ptr::null_mut(),
        );
        if made == 0 {
            return Err(io::Error::last_os_error());
        }
        let mut attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor,
            bInheritHandle: 0,
        };
        let pipe = ServerOptions::new()
            .first_pipe_instance(first)
            .reject_remote_clients(true)
            .create_with_security_attributes_raw(name, (&raw mut attributes).cast::<c_void>());
        LocalFree(descriptor);
        pipe
    }
}
