//! The logs of services: lines of output, stored in files of limited size.
//!
//! An instance has one log directory, and each service two files in it: `NAME.ndjson` and the older
//! `NAME.1.ndjson`. Each line is a JSON record, so `tail` and `jq` can read them. A full file
//! replaces the older one. Long lines are cut and invalid UTF-8 is replaced.

mod capped;
mod lines;
mod read;
mod store;

pub use capped::CappedFile;
pub use lines::LineSplitter;
pub use read::{Filter, read};
pub use store::LogStore;
