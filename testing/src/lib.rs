//! Test helpers of several crates: blocks of ports that only one test uses at a time.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Socket, Type};

/// The number of ports in a block.
pub const BLOCK_SIZE: u16 = 40;
/// The first port of the first block. All blocks are below the usual ephemeral ranges and below the
/// ports that `portway_ports::Hold::any` chooses.
const FIRST_PORT: u16 = 12_000;
/// The end of the last block.
const END_PORT: u16 = 24_000;
const BLOCKS: u16 = (END_PORT - FIRST_PORT) / BLOCK_SIZE;

/// Consecutive ports that no other test uses at the same time, in this process or another.
#[derive(Debug)]
#[must_use = "the ports are released as soon as the block is dropped"]
pub struct PortBlock {
    first: u16,
    size: u16,
    _locks: Vec<File>,
}

impl PortBlock {
    /// Claims `blocks` consecutive blocks. `target` is Cargo's directory for test files
    /// (`CARGO_TARGET_TMPDIR`), which all tests of the workspace share. The search starts at a random
    /// block, because the tests of another checkout use another directory.
    ///
    /// # Panics
    /// If the directory cannot be written or no blocks are free.
    pub fn claim(target: &str, blocks: u16) -> Self {
        let dir = Path::new(target).join("ports");
        fs::create_dir_all(&dir).expect("cannot create the directory for lock files");
        let start = fastrand::u16(..BLOCKS);
        (0..BLOCKS)
            .map(|step| (start + step) % BLOCKS)
            .filter(|first| first + blocks <= BLOCKS)
            .find_map(|first| Self::try_claim(&dir, first, blocks))
            .expect("no free blocks of ports")
    }

    fn try_claim(dir: &Path, first: u16, blocks: u16) -> Option<Self> {
        let lock = |block: u16| {
            let file =
                File::create(dir.join(block.to_string())).expect("cannot create a lock file");
            file.try_lock().ok().map(|()| file)
        };
        let locks = (first..first + blocks).map(lock).collect::<Option<_>>()?;
        let (first, size) = (FIRST_PORT + first * BLOCK_SIZE, blocks * BLOCK_SIZE);
        // Another process may use a port, or an earlier test may have left it in TIME_WAIT.
        let is_free = (first..first + size).all(is_bindable);
        is_free.then_some(Self {
            first,
            size,
            _locks: locks,
        })
    }

    /// Returns the port at `index`.
    ///
    /// # Panics
    /// If the block has fewer ports.
    pub fn port(&self, index: u16) -> u16 {
        assert!(index < self.size, "the block has {} ports", self.size);
        self.first + index
    }
}

/// Returns whether a server can bind the port on all addresses without `SO_REUSEADDR`.
fn is_bindable(port: u16) -> bool {
    ["0.0.0.0", "::"].iter().all(|host| {
        let address = SocketAddr::new(host.parse().expect("an address"), port);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        // A machine without IPv6 cannot create the second socket.
        socket.is_err() || socket.is_ok_and(|socket| socket.bind(&address.into()).is_ok())
    })
}
