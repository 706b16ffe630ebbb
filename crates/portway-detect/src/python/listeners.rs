//! Known calls that listen, one line each.

use portway_project::kind::Kind;

/// A call that listens.
pub(super) struct Listener {
    /// The module that it belongs to, and the package that has it; empty for the standard library.
    pub(super) module: &'static str,
    pub(super) package: &'static str,
    pub(super) call: &'static str,
    pub(super) place: Place,
    /// The port without an argument.
    pub(super) usual: Option<u16>,
    pub(super) kind: Kind,
    pub(super) role: Role,
}

/// Where its arguments contain the port.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// In the keyword `port`.
    Keyword,
    /// There, or in the positional argument with this index.
    At(usize),
    /// In a pair, the first argument: `("", 8000)`.
    Pair,
    /// At the end of an address, the first argument.
    Address,
}

/// What a server is, apart from the application of a known framework.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A service of its own.
    Own,
    /// It runs an application that Portway may know already.
    Host,
    /// It may be a helper, such as a mock of another service.
    Simple,
}

pub(super) const LISTENERS: [Listener; 18] = [
    own(
        "grpc",
        "grpcio",
        "add_insecure_port",
        Place::Address,
        None,
        Kind::Tcp,
    ),
    own(
        "grpc",
        "grpcio",
        "add_secure_port",
        Place::Address,
        None,
        Kind::Tcp,
    ),
    own(
        "aiohttp",
        "aiohttp",
        "run_app",
        Place::Keyword,
        Some(8080),
        Kind::Http,
    ),
    own(
        "aiohttp",
        "aiohttp",
        "TCPSite",
        Place::At(2),
        Some(8080),
        Kind::Http,
    ),
    own(
        "tornado",
        "tornado",
        "listen",
        Place::At(0),
        None,
        Kind::Http,
    ),
    own(
        "websockets",
        "websockets",
        "serve",
        Place::At(2),
        None,
        Kind::Http,
    ),
    own("asyncio", "", "start_server", Place::At(2), None, Kind::Tcp),
    own(
        "nicegui",
        "nicegui",
        "ui.run",
        Place::Keyword,
        Some(8080),
        Kind::Frontend,
    ),
    own(
        "robyn",
        "robyn",
        "start",
        Place::Keyword,
        Some(8080),
        Kind::Http,
    ),
    own(
        "bottle",
        "bottle",
        "run",
        Place::Keyword,
        Some(8080),
        Kind::Http,
    ),
    host("waitress", "waitress", "serve", Place::Keyword, Some(8080)),
    host("gevent", "gevent", "WSGIServer", Place::Pair, None),
    host("werkzeug", "werkzeug", "run_simple", Place::At(1), None),
    host("wsgiref", "", "make_server", Place::At(1), None),
    host(
        "uvicorn",
        "uvicorn",
        "uvicorn.run",
        Place::Keyword,
        Some(8000),
    ),
    simple("http", "HTTPServer"),
    simple("socketserver", "TCPServer"),
    simple("xmlrpc", "SimpleXMLRPCServer"),
];

const fn own(
    module: &'static str,
    package: &'static str,
    call: &'static str,
    place: Place,
    usual: Option<u16>,
    kind: Kind,
) -> Listener {
    Listener {
        module,
        package,
        call,
        place,
        usual,
        kind,
        role: Role::Own,
    }
}

const fn host(
    module: &'static str,
    package: &'static str,
    call: &'static str,
    place: Place,
    usual: Option<u16>,
) -> Listener {
    Listener {
        role: Role::Host,
        ..own(module, package, call, place, usual, Kind::Http)
    }
}

const fn simple(module: &'static str, call: &'static str) -> Listener {
    Listener {
        role: Role::Simple,
        ..own(module, "", call, Place::Pair, None, Kind::Http)
    }
}
