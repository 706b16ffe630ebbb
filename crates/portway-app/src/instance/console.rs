//! `portway attach`: connects this terminal to a running service.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use portway_api::ErrorCode;
use portway_supervisor::control::{Attached, AttachedInput, AttachedOutput};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::Running;
use super::connection::{Supervised, not_running};
use super::response::SupervisorWait;
use crate::error::CommandError;
use crate::platform::{
    RawMode, Signals, StopRequest, TerminalSignal, TerminalSignals, terminal_size,
};
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// The key that detaches in raw mode: Ctrl-\\. In the normal mode, the terminal sends SIGQUIT for it.
const DETACH: u8 = 0x1c;

/// How many pieces of input wait for a service that does not read.
const QUEUE: usize = 256;

/// After the end of piped input, the command stops when the service has printed nothing for this long.
const QUIET_TIME: Duration = Duration::from_millis(500);

/// How long the last input may take to reach the service.
const LAST_INPUT_TIMEOUT: Duration = Duration::from_millis(500);

/// Ends the line, resets the colors and shows the cursor.
const RESET: &[u8] = b"\x1b[0m\x1b[?25h\r\n";

/// Signals that end the command: SIGHUP and SIGTERM.
const HANGUP: i32 = 1;
const TERMINATE: i32 = 15;

/// Options of `portway attach`.
#[derive(Clone, Debug, Default)]
pub struct AttachOptions {
    /// The service; `None` for the main or only one.
    pub service: Option<String>,
    /// Whether to only show the output.
    pub no_input: bool,
}

/// Output of a service.
#[derive(Clone, Copy, Debug)]
pub struct ConsoleOutput<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Whether the service has a terminal, so that they are meant for one.
    pub is_terminal: bool,
}

/// Receives output. Returns false when nobody reads it.
type ConsolePrinter<'a> = &'a mut dyn FnMut(ConsoleOutput<'_>) -> bool;

/// How the connection ended.
enum End {
    /// The user detached.
    Detached,
    /// The piped input is at its end, or nobody reads the output.
    Done,
    /// The process of the service has exited.
    Exited,
    Signal(i32),
}

/// Passes what is typed to a service and its output to `print`, until the user detaches or the process of
/// the service exits. The service keeps running.
///
/// # Errors
/// If the instance is not running, the service is unknown or has no process, or a signal stops the command.
pub fn attach(
    directory: Option<&Path>,
    options: &AttachOptions,
    reporter: &dyn Reporter,
    print: ConsolePrinter<'_>,
) -> Result<(), CommandError> {
    let running = Running::open(directory, reporter)?;
    if let Some(difference) = running.difference() {
        reporter.info(&difference);
    }
    let name = service(&running, options.service.as_deref())?;
    if !running.is_supervised() {
        return Err(not_running());
    }
    let end = runtime()?.block_on(async {
        let client = running.client();
        let mut wait = SupervisorWait::new(&running.dir());
        let attached = match wait.response(client.attach(&name)).await? {
            Ok(attached) => attached?,
            Err(error) => return Err(not_running().caused_by(error)),
        };
        let is_typed = !options.no_input && io::stdin().is_terminal();
        let keys = match is_typed {
            true if attached.is_terminal => "Ctrl-\\ detaches, every other key goes to the service",
            true => "Ctrl-\\ or Ctrl-C detaches, each line goes to the service",
            false => "Ctrl-C detaches",
        };
        reporter.info(&format!("attached to `{name}`; {keys}"));
        let followed = follow(attached, options.no_input, is_typed, print).await;
        followed.map_err(|error| {
            CommandError::new(ErrorCode::Failed, format!("cannot attach to `{name}`"))
                .caused_by(error)
        })
    })?;
    match end {
        End::Signal(number) => return Err(CommandError::signal(number)),
        End::Detached => reporter.info(&format!("detached from `{name}`, which keeps running")),
        End::Exited => reporter.info(&format!("the process of `{name}` has exited")),
        End::Done => {}
    }
    Ok(())
}

/// Returns the service to attach to.
fn service(running: &Running, name: Option<&str>) -> Result<String, CommandError> {
    if let Some(name) = name {
        running.known(name)?;
        return Ok(name.to_owned());
    }
    match (&running.services[..], &running.main) {
        ([only], _) => Ok(only.clone()),
        (_, Some(main)) => Ok(main.clone()),
        _ => Err(CommandError::new(
            ErrorCode::Usage,
            "no service is given and no main one exists",
        )
        .hint("run `portway ps` to list the services, then `portway attach SERVICE`")),
    }
}

/// Follows the connection in the mode of the terminal that it needs. The mode is restored at the end, also
/// after a panic.
async fn follow(
    attached: Attached,
    no_input: bool,
    is_typed: bool,
    print: ConsolePrinter<'_>,
) -> io::Result<End> {
    // Before the mode changes, so that no signal stops this process without restoring it.
    let signals = (Signals::register()?, TerminalSignals::register()?);
    let is_terminal = attached.is_terminal;
    let is_raw = is_typed && is_terminal;
    let raw = is_raw.then(RawMode::enter).transpose()?;
    let input = (!no_input).then(read_stdin);
    let (to_service, queue) = mpsc::channel(QUEUE);
    let mut writer = tokio::spawn(write_input(attached.input, queue));
    let mut terminal = Terminal {
        is_terminal,
        is_typed,
        output: attached.output,
        input,
    };
    let end = terminal.pass(to_service, &mut writer, signals, print).await;
    if let End::Detached = end {
        // What was typed last is still on its way.
        let _ = timeout(LAST_INPUT_TIMEOUT, &mut writer).await;
    }
    drop(raw);
    if is_typed && io::stdout().is_terminal() {
        let bytes = if is_raw { RESET } else { b"\n" };
        print(ConsoleOutput { bytes, is_terminal });
    }
    Ok(end)
}

/// This terminal and the output of the service.
struct Terminal {
    /// Whether the service has a terminal.
    is_terminal: bool,
    /// Whether a user types the input.
    is_typed: bool,
    output: AttachedOutput,
    input: Option<Receiver<Vec<u8>>>,
}

impl Terminal {
    /// Passes on input and output until the end of the connection.
    async fn pass(
        &mut self,
        to_service: Sender<Input>,
        writer: &mut JoinHandle<()>,
        (mut signals, mut terminal): (Signals, TerminalSignals),
        print: ConsolePrinter<'_>,
    ) -> End {
        let (is_terminal, is_raw) = (self.is_terminal, self.is_typed && self.is_terminal);
        let mut to_service = Some(to_service);
        self.send_size(to_service.as_ref());
        // Until when the service must print something after the end of the input.
        let mut quiet_at = None;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let has_space = to_service
                .as_ref()
                .is_some_and(|queue| queue.capacity() > 1);
            tokio::select! {
                count = self.output.read(&mut buffer) => match count {
                    // The connection is lost when the supervisor is killed.
                    Ok(0) | Err(_) => return End::Exited,
                    Ok(count) => {
                        let bytes = &buffer[..count];
                        if !print(ConsoleOutput { bytes, is_terminal }) {
                            return End::Done;
                        }
                        quiet_at = quiet_at.map(|_| Instant::now() + QUIET_TIME);
                    }
                },
                // A service that does not read must not keep the key that detaches waiting.
                bytes = next(&mut self.input), if has_space || is_raw => match bytes {
                    Some(bytes) => {
                        let key = bytes.iter().position(|&byte| is_raw && byte == DETACH);
                        let bytes = &bytes[..key.unwrap_or(bytes.len())];
                        if let Some(queue) = to_service.as_ref().filter(|_| !bytes.is_empty()) {
                            // Keys fill the queue only if the service does not read them.
                            let _ = queue.try_send(Input::Bytes(bytes.to_vec()));
                        }
                        if key.is_some() {
                            return End::Detached;
                        }
                    }
                    None if self.is_typed => return End::Detached,
                    None => {
                        self.input = None;
                        to_service = None;
                    }
                },
                _ = &mut *writer, if to_service.is_none() && quiet_at.is_none() => {
                    quiet_at = Some(Instant::now() + QUIET_TIME);
                }
                () = sleep_until(quiet_at.unwrap_or_else(Instant::now)), if quiet_at.is_some() => {
                    return End::Done;
                }
                () = space(to_service.as_ref()), if !has_space => {}
                signal = signals.next() => return match signal {
                    StopRequest::Interrupt => End::Detached,
                    StopRequest::Terminate => End::Signal(TERMINATE),
                    StopRequest::HangUp => End::Signal(HANGUP),
                },
                signal = terminal.next() => match signal {
                    TerminalSignal::Quit => return End::Detached,
                    TerminalSignal::Resized => self.send_size(to_service.as_ref()),
                },
            }
        }
    }

    /// Sends the size of this terminal.
    fn send_size(&self, queue: Option<&Sender<Input>>) {
        let size = terminal_size().filter(|_| self.is_typed);
        if let (Some(queue), Some((rows, columns))) = (queue, size) {
            // A later change sends it again.
            let _ = queue.try_send(Input::Size(rows, columns));
        }
    }
}

/// What is sent to the service.
enum Input {
    Bytes(Vec<u8>),
    Size(u16, u16),
}

/// Waits for the next input; `None` at its end. Never returns if there is none.
async fn next(typed: &mut Option<Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match typed {
        Some(typed) => typed.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits until the queue has space. Never returns without a queue.
async fn space(queue: Option<&Sender<Input>>) {
    match queue {
        // It fails only if the connection is lost, which the output reports.
        Some(queue) if queue.reserve_many(2).await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

async fn write_input(mut service: AttachedInput, mut queue: Receiver<Input>) {
    while let Some(input) = queue.recv().await {
        let sent = match input {
            Input::Bytes(bytes) => service.write(&bytes).await,
            Input::Size(rows, columns) => service.resize(rows, columns).await,
        };
        if sent.is_err() {
            // The output reports that the connection is lost.
            return;
        }
    }
}

/// Reads the standard input on a thread, which ends with the process: reading cannot be interrupted.
fn read_stdin() -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = io::stdin().lock().read(&mut bytes) {
            if count == 0 || sender.blocking_send(bytes[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
