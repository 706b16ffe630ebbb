//! Connections to services: an HTTP client with pooled connections.
//!
//! Input: a port on this machine and a request with a [`RequestBody`]. Output: a response whose
//! body ([`UpstreamBody`]) returns its connection to the [`UpstreamPool`] when it has been read.

mod pool;
mod request_body;
mod response_body;
mod stream;

pub(crate) use pool::{PooledConnection, UpstreamPool, UpstreamProtocol};
pub(crate) use request_body::{BodyTooLarge, RequestBody};
pub(crate) use response_body::UpstreamBody;
