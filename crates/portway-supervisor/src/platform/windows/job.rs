//! A job object: what is started inside it cannot leave it, and ends with it.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_PROCESS_ID_LIST, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicProcessIdList, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// How many processes of a job are listed at once; those beyond are seen when the first are gone.
const LISTED: usize = 1024;

/// The only handle of a job: when its owner ends, however that comes, all of the job does.
pub(crate) struct Job(OwnedHandle);

impl Job {
    /// A job with this process in it. No process of it can break away.
    pub(crate) fn around_this_process() -> io::Result<Self> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: the job's handle is checked and owned at once; the limits are a live structure
        // of the size that is named.
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

    /// The pids of all processes of the job but this one.
    pub(crate) fn others(&self) -> Vec<u32> {
        // The list's two counts fill one word of eight bytes, and each pid another.
        let mut list = vec![0_usize; LISTED + 1];
        // SAFETY: the buffer is writable for the size that is named, and aligned for the list. That
        // there are more processes than it holds is reported as a failure and still fills it.
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
