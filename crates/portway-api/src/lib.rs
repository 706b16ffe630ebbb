//! The words that programs exchange with Portway.
//!
//! Everything that a command prints, a dashboard draws or an agent reads is made from the values of
//! this crate, and so is every request that the supervisor takes. They are plain data: JSON on the
//! wire, a JSON schema from the same types, no logic.

mod discovered;
mod displacement;
mod error;
mod event;
mod failure;
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

pub use discovered::Discovered;
pub use displacement::{ExclusionKind, PortConflict, PortDisplacement};
pub use error::{ErrorBody, ErrorCode, ErrorInfo};
pub use event::{Event, Notice, NoticeLevel};
pub use failure::FailureReason;
pub use finding::{Check, Diagnosis, Finding, Fixed, Severity};
pub use forward::{Forward, ForwardTo};
pub use gateway::{GatewayEvent, GatewayStatus};
pub use health::{HealthCheckKind, HealthReport, ServiceHealth};
pub use log::{LogRecord, LogStream};
pub use plan::{PortWish, ProjectPlan, ServicePlan, SkippedFile};
pub use ports::{ExcludedPort, FreePort, NamedRange, PortMap};
pub use preference::{ExplainedPreference, Preference, PreferenceLayer, PreferenceSource};
pub use status::{
    InstanceState, InstanceStatus, PathRoute, PortStatus, ServiceState, ServiceStatus, Services,
};
pub use trust::{TrustReport, TrustState, TrustStep, TrustedRoot};
pub use usage::ServiceUsage;
pub use who::{
    FreeAction, Freed, LeaseEntry, LeaseState, Leftover, PortHolder, PortLease, PortReport,
    PortState, ProcessInfo, Pruned, ServiceRef,
};
