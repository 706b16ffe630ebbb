//! Ports as things one can keep.
//!
//! Checking a port and letting go of it proves nothing: somebody else may take it before the
//! server that was meant for it binds. This crate *holds* a port instead, with bound sockets that
//! never listen, and lets a server bind on top of the hold ([`Hold`]). Around that it knows which
//! ports should not be given out ([`Facts`], [`Exclusion`]), who listens ([`listeners`]) and which
//! process that is ([`holders`]).
//!
//! It knows nothing of projects or files, and stands on its own as a library:
//!
//! ```
//! use portway_ports::{Facts, PortRange, hold_first_free};
//!
//! let range: PortRange = "21000-21999".parse()?;
//! let hold = hold_first_free(range, &Facts::read()?)?;
//! hold.soften(); // from here a server with SO_REUSEADDR binds on top, anyone else is refused
//! println!("start the server on {}", hold.port());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod exclude;
mod hold;
mod listen;
mod platform;
mod process;
mod range;
mod reserved;
mod tree;
mod usage;

pub use exclude::{Exclusion, Facts};
pub use hold::{Families, Hold, HoldError, hold_first_free};
pub use listen::{
    Holder, Listener, all_holders, bound, holders, holders_among, holders_of, listeners,
    user_of_connection,
};
#[cfg(unix)]
pub use process::send_signal;
pub use process::{
    Process, ProcessId, ancestors, container, descendants, own_user, owner_among, pids, tree,
    user_name, variable,
};
pub use range::{PortRange, RangeError};
pub use reserved::excluded_ranges;
pub use tree::{Tree, root_among, tree_of};
pub use usage::{Usage, usage};
