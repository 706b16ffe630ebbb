//! What a process was started with: it lies in its own memory, and nowhere else.
//!
//! The layout of the blocks is that of every 64-bit Windows (and of Wine).

use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, OwnedHandle};

use windows_sys::Wdk::System::Threading::{NtQueryInformationProcess, ProcessBasicInformation};
use windows_sys::Win32::System::Diagnostics::Debug::ReadProcessMemory;

/// Where the block of a process names its parameters.
const PARAMETERS: u64 = 0x20;
/// Where the parameters have the working directory, the command line and the environment.
const DIRECTORY: u64 = 0x38;
const COMMAND_LINE: u64 = 0x70;
const ENVIRONMENT: u64 = 0x80;
const ENVIRONMENT_SIZE: u64 = 0x3f0;

/// More than this no block has; a larger number is not one.
const MOST: usize = 1 << 20;

/// `PROCESS_BASIC_INFORMATION`, of which only the block's address is of use.
#[repr(C)]
struct Basic {
    exit_status: u64,
    block: u64,
    rest: [u64; 4],
}

/// The parameters of a process that may be read.
pub(super) struct Parameters<'a> {
    process: &'a OwnedHandle,
    at: u64,
}

impl<'a> Parameters<'a> {
    pub(super) fn of(process: &'a OwnedHandle) -> Option<Self> {
        let mut basic = MaybeUninit::<Basic>::zeroed();
        // SAFETY: the handle is open while it is borrowed; the buffer has the size that is named
        // and is plain numbers, valid in every bit pattern.
        #[allow(unsafe_code)]
        let basic = unsafe {
            let failed = NtQueryInformationProcess(
                process.as_raw_handle(),
                ProcessBasicInformation,
                basic.as_mut_ptr().cast(),
                size_of::<Basic>() as u32,
                std::ptr::null_mut(),
            );
            (failed == 0).then(|| basic.assume_init())?
        };
        let at = number(process, basic.block + PARAMETERS)?;
        Some(Self { process, at })
    }

    pub(super) fn command_line(&self) -> Option<String> {
        self.text(COMMAND_LINE)
    }

    pub(super) fn directory(&self) -> Option<String> {
        self.text(DIRECTORY)
    }

    /// The value of a variable; names are the same in any case.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let size = number(self.process, self.at + ENVIRONMENT_SIZE)?;
        let at = number(self.process, self.at + ENVIRONMENT)?;
        let words = units(self.process, at, usize::try_from(size).ok()?)?;
        words.split(|&unit| unit == 0).find_map(|one| {
            let one = String::from_utf16_lossy(one);
            let (key, value) = one.split_once('=')?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    }

    /// A `UNICODE_STRING`: its length in bytes, its room, and its address.
    fn text(&self, offset: u64) -> Option<String> {
        let length = number(self.process, self.at + offset)? & 0xffff;
        let at = number(self.process, self.at + offset + 8)?;
        let units = units(self.process, at, usize::try_from(length).ok()?)?;
        Some(String::from_utf16_lossy(&units))
    }
}

fn number(process: &OwnedHandle, at: u64) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes(process, at, 8)?.first_chunk()?))
}

fn units(process: &OwnedHandle, at: u64, size: usize) -> Option<Vec<u16>> {
    let bytes = bytes(process, at, size)?;
    let (pairs, _) = bytes.as_chunks::<2>();
    Some(pairs.iter().map(|pair| u16::from_ne_bytes(*pair)).collect())
}

fn bytes(process: &OwnedHandle, at: u64, size: usize) -> Option<Vec<u8>> {
    let mut buffer = vec![0; (size <= MOST).then_some(size)?];
    let mut read = 0;
    // SAFETY: the handle is open while it is borrowed, and the buffer is writable for its length.
    // The address is the other process's; one that it has not makes the call fail.
    #[allow(unsafe_code)]
    let done = unsafe {
        ReadProcessMemory(
            process.as_raw_handle(),
            at as *const core::ffi::c_void,
            buffer.as_mut_ptr().cast(),
            size,
            &raw mut read,
        )
    };
    (done != 0 && read == size).then_some(buffer)
}
