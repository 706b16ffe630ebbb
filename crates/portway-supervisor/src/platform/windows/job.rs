//! Job objects: groups of processes that no process can leave and that are killed together.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_PROCESS_ID_LIST, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicProcessIdList, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// The maximum number of processes that are listed. Others are listed once the first ones are gone.
const MAX_LISTED: usize = 1024;

/// The only handle of a job object. When it is closed, also because its process was killed, all
/// processes of the job are killed.
pub(crate) struct Job(OwnedHandle);

impl Job {
    /// Creates a job object with this process in it.
    pub(crate) fn around_this_process() -> io::Result<Self> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: the job's handle is checked and then owned. The pointer refers to `limits`, with its
        // size.
        #[allow(unsafe_code)]
        unsafe {
            let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            if job.is_null() {
                return Err(io::Error::last_os_error());
            }
            let job = OwnedHandle::from_raw_handle(job);
            let done = SetInformationJobObject(
                job.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            ) != 0
                && AssignProcessToJobObject(job.as_raw_handle(), GetCurrentProcess()) != 0;
            if done {
                Ok(Self(job))
            } else {
                Err(io::Error::last_os_error())
            }
        }
    }

    /// Returns the pids of all other processes of the job.
    pub(crate) fn others(&self) -> Vec<u32> {
        // The two counts at the start of the list take eight bytes, as does each pid.
        let mut list = vec![0_usize; MAX_LISTED + 1];
        // SAFETY: the buffer is writable, aligned for the list and has the given size. If there are
        // more processes than it holds, the call fails after filling it.
        #[allow(unsafe_code)]
        let counts = unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicProcessIdList,
                list.as_mut_ptr().cast(),
                size_of_val(list.as_slice()) as u32,
                std::ptr::null_mut(),
            );
            list.as_ptr()
                .cast::<JOBOBJECT_BASIC_PROCESS_ID_LIST>()
                .read()
        };
        let own = std::process::id();
        let count = counts.NumberOfProcessIdsInList as usize;
        list.into_iter()
            .skip(1)
            .take(count)
            .filter_map(|pid| u32::try_from(pid).ok())
            .filter(|&pid| pid != own)
            .collect()
    }
}
