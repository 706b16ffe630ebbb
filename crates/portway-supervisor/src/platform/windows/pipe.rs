//! The control socket as a named pipe that only its owner may open.

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

/// Full access for the owner and the system, none for others, no inheritance.
const OWNER_ONLY: &str = "D:P(A;;GA;;;OW)(A;;GA;;;SY)";

/// The delay before a client retries while every instance of the pipe is in use.
const BUSY_RETRY_DELAY: Duration = Duration::from_millis(10);

/// The delay before a server retries to create an instance of the pipe.
const CREATE_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Returns the pipe's name for the path of the control socket. Pipes have no directories, and their
/// names have at most 256 characters.
fn pipe_name(path: &Path) -> String {
    // FNV-1a: the hash must not change between versions of Portway.
    let hash = path
        .to_string_lossy()
        .to_lowercase()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!(r"\\.\pipe\portway-{hash:016x}")
}

/// Connects to the control socket at `path`.
pub(crate) async fn connect(path: &Path) -> io::Result<NamedPipeClient> {
    let name = pipe_name(path);
    loop {
        match ClientOptions::new().open(&name) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()) => {
                tokio::time::sleep(BUSY_RETRY_DELAY).await;
            }
            other => return other,
        }
    }
}

/// Returns whether a process serves the control socket at `path`.
pub(crate) fn is_served(path: &Path) -> bool {
    // Without the client of `tokio`, which needs a runtime.
    let open = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(pipe_name(path));
    match open {
        Ok(_) => true,
        Err(error) => error.raw_os_error() == Some(ERROR_PIPE_BUSY.cast_signed()),
    }
}

/// A control socket that accepts connections of this user.
pub(crate) struct ControlListener {
    name: String,
    /// The instance of the pipe for the next client.
    next: NamedPipeServer,
}

impl ControlListener {
    /// Creates the pipe. Fails if a pipe of this name exists.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let name = pipe_name(path);
        let next = create_instance(&name, true)?;
        Ok(Self { name, next })
    }
}

impl axum::serve::Listener for ControlListener {
    type Io = NamedPipeServer;
    type Addr = String;

    async fn accept(&mut self) -> (NamedPipeServer, String) {
        loop {
            let connected = self.next.connect().await;
            // The next instance is created first, so that there is always one for a client.
            match create_instance(&self.name, false) {
                Ok(next) => {
                    let this = std::mem::replace(&mut self.next, next);
                    if connected.is_ok() {
                        return (this, self.name.clone());
                    }
                }
                Err(_) => tokio::time::sleep(CREATE_RETRY_DELAY).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<String> {
        Ok(self.name.clone())
    }
}

/// Creates an instance of the pipe. Each needs a security descriptor: without one, all users may read.
fn create_instance(name: &str, first: bool) -> io::Result<NamedPipeServer> {
    let text: Vec<u16> = OWNER_ONLY.encode_utf16().chain([0]).collect();
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the text ends with a zero. The descriptor that the first call creates is valid until it
    // is freed below. The attributes that refer to it outlive the call that creates the pipe.
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
