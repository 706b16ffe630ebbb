//! What the application reports while a command runs. The user interface implements these traits.

use portway_api::{ChangePlan, InstanceStatus, LogRecord, Notice, ServiceStatus};
use portway_detect::Detection;

/// Receives warnings, log lines and questions.
pub trait Reporter: Send + Sync {
    /// Reports a fact that needs no attention.
    fn info(&self, text: &str);

    /// Reports a problem that does not stop the command.
    fn warning(&self, text: &str);

    /// Reports the services that were detected in a checkout without a manifest.
    fn detected(&self, detection: &Detection);

    /// Warns about each port that was requested by number and is otherwise excluded.
    fn port_warnings(&self, status: &InstanceStatus);

    /// Reports that the services of an instance are ready. `attached` says that this process
    /// supervises the instance and stops it on Ctrl-C.
    fn ready(&self, status: &InstanceStatus, attached: bool);

    /// Reports that the services are ready of an instance that was running before the command.
    fn running(&self, status: &InstanceStatus);

    /// Reports what changes in a running instance.
    fn changes(&self, plan: &ChangePlan);

    /// Reports that a service failed or waits for one that failed, while the others keep running.
    fn failed(&self, service: &ServiceStatus);

    /// Reports the services of an instance that runs in the background, of which some failed.
    fn started(&self, status: &InstanceStatus);

    /// Prints one log line of an instance that has these `services`. Returns false after the
    /// reader has closed the stream.
    fn log(&self, services: &[String], record: &LogRecord) -> bool;

    /// Starts to display progress.
    fn progress(&self) -> Box<dyn Progress>;

    /// Whether standard output shows colors.
    fn is_colored(&self) -> bool;

    /// Whether a user can answer a question.
    fn can_ask(&self) -> bool;

    /// Asks a question. The default answer is no.
    fn confirm(&self, question: &str) -> bool;
}

/// A display of what a command waits for, until [`Progress::finish`].
pub trait Progress {
    /// Shows what an instance waits for.
    fn status(&self, status: &InstanceStatus);

    /// Shows what the command does.
    fn message(&self, text: &str);

    /// Reports a notice of the supervisor.
    fn notice(&self, notice: &Notice);

    /// Reports one line.
    fn line(&self, text: &str);

    /// Hides the display while `print` runs.
    fn suspend(&self, print: &mut dyn FnMut());

    /// Removes the display.
    fn finish(&self);
}
