//! What the tests of several crates share: ports that a test has to itself.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Socket, Type};

/// How many ports a block has.
pub const BLOCK: u16 = 40;
/// Blocks lie between these ports, below every usual ephemeral range.
const FIRST: u16 = 12_000;
const LAST: u16 = 31_000;
const BLOCKS: u16 = (LAST - FIRST) / BLOCK;

/// Ports that no other test uses meanwhile, in this process or another.
#[derive(Debug)]
pub struct PortBlock {
    first: u16,
    size: u16,
    _locks: Vec<File>,
}

impl PortBlock {
    /// Claims so many free blocks in a row. `target` is cargo's directory for the files of tests
    /// (`CARGO_TARGET_TMPDIR`), which all tests of the workspace share. The search begins
    /// anywhere, so that the tests of two checkouts hardly ever meet.
    ///
    /// # Panics
    /// When the directory cannot be written, or no ports are left.
    pub fn claim(target: &str, blocks: u16) -> Self {
        let dir = Path::new(target).join("ports");
        fs::create_dir_all(&dir).expect("a directory for locks");
        let begin = (RandomState::new().hash_one(0) % u64::from(BLOCKS)) as u16;
        (0..BLOCKS)
            .map(|step| (begin + step) % BLOCKS)
            .filter(|first| first + blocks <= BLOCKS)
            .find_map(|first| Self::try_claim(&dir, first, blocks))
            .expect("enough free ports")
    }

    fn try_claim(dir: &Path, first: u16, blocks: u16) -> Option<Self> {
        let lock = |block: u16| {
            let lock = File::create(dir.join(block.to_string())).expect("a lock file");
            lock.try_lock().ok().map(|()| lock)
        };
        let locks = (first..first + blocks).map(lock).collect::<Option<_>>()?;
        let (first, size) = (FIRST + first * BLOCK, blocks * BLOCK);
        // Ports of which a stranger has one are of no use to a test that counts on them, nor are
        // those that a former test has left in TIME_WAIT.
        let free = (first..first + size).all(is_untouched);
        free.then_some(Self {
            first,
            size,
            _locks: locks,
        })
    }

    /// The Nth port.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn port(&self, index: u16) -> u16 {
        assert!(index < self.size, "there are {} ports", self.size);
        self.first + index
    }
}

/// Whether a server of any kind could bind the port now.
fn is_untouched(port: u16) -> bool {
    ["0.0.0.0", "::"].iter().all(|host| {
        let address = SocketAddr::new(host.parse().expect("an address"), port);
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        // A machine without IPv6 has nothing there.
        socket.is_err() || socket.is_ok_and(|socket| socket.bind(&address.into()).is_ok())
    })
}
