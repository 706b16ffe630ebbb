//! A snapshot of every help text, and of one example of each error and warning.
//!
//! A new command appears here without being listed; a new error or warning needs an example. The
//! snapshots are made on Linux: other systems report some errors with other messages.

mod commands;
mod detection;
mod doctor;
mod files;
mod gateway;
mod help;
mod ports;
mod running;
mod services;
mod state;
mod usage;
