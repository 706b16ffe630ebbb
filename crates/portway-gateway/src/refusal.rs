//! The reasons why the gateway responds itself instead of forwarding a request.

/// The reason why a request was not forwarded to its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The instance does not run.
    InstanceNotRunning,
    /// The instance has no main service, or no service with the requested name.
    NoService,
    /// The service is stopped, or was never started.
    ServiceStopped,
    /// The service completed its work and exited.
    ServiceCompleted,
    /// The service failed and will not be restarted. Contains the cause.
    ServiceFailed(String),
    /// The service did not become ready in time.
    NotReady,
    /// This process has no free file descriptor for a connection to the service.
    Overloaded,
    /// The service does not support HTTP/2, which the request requires.
    NotHttp2,
    /// The service is ready, but did not respond. Contains the cause.
    NoResponse(String),
}
