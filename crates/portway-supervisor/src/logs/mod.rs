//! What services print: cut into lines, kept on disk with a cap, read back.
//!
//! One directory per instance; per service two files of JSON lines, `NAME.ndjson` and the older
//! `NAME.1.ndjson`, which can be read with `tail` and `jq`. A service may print without newlines,
//! in no encoding, with escape sequences or without end: lines are cut at a length, bytes that are
//! no UTF-8 are replaced, and when the newer file is full it becomes the older one.

mod capped;
mod lines;
mod read;
mod store;

pub use capped::CappedFile;
pub use lines::LineCutter;
pub use read::{Filter, read};
pub use store::LogStore;
