//! The types that programs exchange with Portway.
//!
//! Commands print these values with `--json`, the dashboard displays them, and the supervisor and
//! the gateway accept them as requests. They are plain data with a JSON form and a JSON schema.
//! This crate must not contain logic beyond text forms and codes.

mod change;
mod discovered;
mod displacement;
mod error;
mod event;
mod failure;
mod file_change;
mod finding;
mod forward;
mod gateway;
mod health;
mod log;
mod plan;
mod ports;
mod preference;
mod status;
mod trust;
mod usage;
mod who;

pub use change::{ApplyRequest, ChangeAction, ChangePlan, InstanceEnvironment, ServiceChange};
pub use discovered::DiscoveredService;
pub use displacement::{ExclusionKind, PortConflict, PortDisplacement};
pub use error::{ErrorBody, ErrorCode, ErrorInfo};
pub use event::{Event, Notice, NoticeLevel};
pub use failure::FailureReason;
pub use file_change::{FileAction, FileChange};
pub use finding::{AppliedFix, Check, Diagnosis, Finding, Severity};
pub use forward::{Forward, ForwardTarget};
pub use gateway::{GatewayEvent, GatewayPorts, GatewayStatus};
pub use health::{HealthCheckKind, HealthReport, ServiceHealth};
pub use log::{LogRecord, LogStream};
pub use plan::{
    ExplainedVariable, IsolationPlan, MissingVariable, Obstacle, PortPreference, ProjectPlan,
    ServicePlan, SkippedFile, VariablePlan,
};
pub use ports::{ExcludedPort, FreePortRequest, NamedRange, PortMap};
pub use preference::{ExplainedPreference, Preference, PreferenceLayer, PreferenceSource};
pub use status::{
    InstanceState, InstanceStatus, NetworkStatus, PathRoute, PortStatus, ServiceSelection,
    ServiceState, ServiceStatus, UrlRewriting, UsualPort,
};
pub use trust::{TrustReport, TrustState, TrustStep, TrustedRoot};
pub use usage::ServiceUsage;
pub use who::{
    FreeAction, FreeReport, LeaseEntry, LeaseState, PortHolder, PortLease, PortReport, PortState,
    ProcessInfo, PruneReport, ServiceRef, StaleContainer, StaleDatabase, StaleProcess,
};
