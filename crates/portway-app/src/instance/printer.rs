//! Prints what happens in an instance that this process supervises in the foreground.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use portway_api::{Event, LogRecord, LogStream, NoticeLevel, ServiceStatus};
use portway_supervisor::Handle;
use tokio::sync::{broadcast, oneshot};

use super::attach;
use crate::doctor;
use crate::gateway::client;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// Timeout for printing the last lines when the reader is slow.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// Prints events on a separate thread, so that a paused terminal (Ctrl-S) or a slow reader does not block
/// the supervisor.
pub(super) struct EventPrinter {
    finished: mpsc::Receiver<attach::Failures>,
}

impl EventPrinter {
    /// Starts to print the events of `handle`. Uses `reader_gone` when the reader has closed the output.
    /// Failures that are expected are not printed.
    pub(super) fn start(
        handle: &Handle,
        mut services: Vec<String>,
        reporter: Arc<dyn Reporter>,
        reader_gone: oneshot::Sender<()>,
        is_expected: fn(&ServiceStatus) -> bool,
    ) -> Self {
        let mut events = handle.events();
        // Unlike a handle, this does not keep the events open.
        let latest = handle.status_changes();
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            let mut started = false;
            let mut warned = false;
            let mut reader_gone = Some(reader_gone);
            let mut failures = attach::Failures::default();
            let progress = reporter.progress();
            loop {
                let mut has_reader = true;
                let event = match events.blocking_recv() {
                    // One of the missed events may be the status that the command waits for.
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        progress.line(&format!(
                            "… {missed} lines skipped; run `portway logs` to see them"
                        ));
                        Ok(Event::Status(Box::new(latest.borrow().clone())))
                    }
                    other => other,
                };
                match event {
                    Ok(Event::Status(mut status)) => {
                        // A change of the project can add services.
                        if !status.services.is_empty() {
                            let names = status.services.iter();
                            services = names.map(|service| service.name.clone()).collect();
                        }
                        let failed = failures.update(&status.services).into_iter();
                        for service in failed.filter(|one| !is_expected(one)) {
                            progress.suspend(&mut || reporter.failed(service));
                        }
                        let ready = attach::is_started(status.state);
                        // The first status may have no services yet.
                        if !warned && !status.services.is_empty() {
                            warned = true;
                            progress.suspend(&mut || reporter.port_warnings(&status));
                        }
                        if ready && !started {
                            started = true;
                            progress.finish();
                            if let Ok(runtime) = runtime() {
                                runtime.block_on(client::add_urls(&mut status));
                            }
                            reporter.ready(&status, true);
                            warn_about_pages(PathBuf::from(&status.directory), &reporter);
                        } else if !started {
                            progress.status(&status);
                        }
                    }
                    // Each line of Portway is also a notice.
                    Ok(Event::Log(record)) if record.stream == LogStream::Portway => {}
                    Ok(Event::Log(record)) => {
                        progress.suspend(&mut || has_reader = reporter.log(&services, &record));
                    }
                    Ok(Event::Notice(notice)) => match (notice.level, &notice.service) {
                        // The status reports failures of services.
                        (NoticeLevel::Error, Some(_)) => {}
                        (NoticeLevel::Info, Some(service)) => {
                            let record = LogRecord {
                                time: portway_supervisor::now(),
                                number: 0,
                                service: service.clone(),
                                stream: LogStream::Portway,
                                text: notice.text,
                            };
                            progress.suspend(&mut || has_reader = reporter.log(&services, &record));
                        }
                        _ => progress.notice(&notice),
                    },
                    Err(_) => break,
                }
                if !has_reader && let Some(reader_gone) = reader_gone.take() {
                    // The receiver is gone once the supervisor has stopped.
                    let _ = reader_gone.send(());
                }
            }
            progress.finish();
            // The receiver is gone after the timeout.
            let _ = done.send(failures);
        });
        Self { finished }
    }

    /// Waits until the remaining events are printed, and returns the failures among them. Lines that
    /// the reader does not take in time are lost.
    pub(super) fn finish(self) -> attach::Failures {
        let finished = self.finished.recv_timeout(OUTPUT_TIMEOUT);
        finished.unwrap_or_default()
    }
}

/// Warns about pages that call the ports of other instances, on a separate thread, because reading
/// their files takes time.
fn warn_about_pages(directory: PathBuf, reporter: &Arc<dyn Reporter>) {
    let reporter = reporter.clone();
    thread::spawn(move || {
        for warning in doctor::page_warnings(&directory) {
            reporter.warning(&warning);
        }
    });
}

/// Reports failures on a separate thread, so that a reader that has paused does not delay the end.
pub(super) fn report_failures<'a>(
    reporter: &Arc<dyn Reporter>,
    failed: impl IntoIterator<Item = &'a ServiceStatus>,
) {
    let failed: Vec<ServiceStatus> = failed.into_iter().cloned().collect();
    let reporter = reporter.clone();
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        for service in &failed {
            reporter.failed(service);
        }
        // The receiver is gone after the timeout.
        let _ = done.send(());
    });
    // What the reader does not take in time is lost.
    let _ = finished.recv_timeout(OUTPUT_TIMEOUT);
}
