//! A real Redis needs three lines of manifest.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::sandbox::{Sandbox, http_get};

#[test]
fn redis_is_wired_like_any_service() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\nafter = [\"redis\"]\n\
         [services.redis]\n\
         command = \"redis-server --port {port} --bind 127.0.0.1 -::1 --save '' --appendonly no\"\n\
         port = \"%20-%29\"",
    );
    let url = sandbox.expand("redis://localhost:%20");
    sandbox.run(&["up", "--detach"]).success();
    let json = sandbox.ports_json();
    assert_eq!(json["redis_port"], sandbox.port(20));
    assert_eq!(json["redis_url"], url);
    assert_eq!(http_get(sandbox.port(0), "/env/REDIS_URL").unwrap(), url);
    let ping = || {
        let mut redis = TcpStream::connect(("127.0.0.1", sandbox.port(20))).unwrap();
        redis.write_all(b"PING\r\n").unwrap();
        let mut answer = [0; 7];
        redis.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+PONG\r\n");
    };
    ping();
    sandbox.run(&["restart", "redis"]).success();
    ping();
}
