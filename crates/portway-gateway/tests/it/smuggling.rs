//! Requests that two readers could take for different ones. Each is refused, or passed on in one
//! plain form; none reaches the service as more than it was.

use crate::town::{Service, Town};

/// What a request comes to.
#[derive(Debug, PartialEq)]
enum Fate {
    /// Refused, and the service has heard nothing.
    Refused,
    /// Passed on as one request.
    One,
}
use Fate::*;

/// `{H}` stands for a proper `Host` line, and one that asks for the end of the connection.
const TABLE: &[(&str, &str, Fate)] = &[
    ("plain", "GET / HTTP/1.1\r\n{H}\r\n", One),
    (
        "a length",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nhi",
        One,
    ),
    (
        "two equal lengths",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        One,
    ),
    (
        "two lengths",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        Refused,
    ),
    (
        "a list of lengths",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2, 3\r\n\r\nhi!",
        Refused,
    ),
    (
        "a signed length",
        "POST / HTTP/1.1\r\n{H}Content-Length: +2\r\n\r\nhi",
        Refused,
    ),
    (
        "a negative length",
        "POST / HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n",
        Refused,
    ),
    (
        "an endless length",
        "POST / HTTP/1.1\r\n{H}Content-Length: 18446744073709551617\r\n\r\nh",
        Refused,
    ),
    (
        "length and chunks",
        "POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n{H}\r\n",
        Refused,
    ),
    (
        "chunks and length",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunks",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        One,
    ),
    (
        "chunks twice",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunks in two fields",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "an unknown coding",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a coding behind the chunks",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunks in HTTP/1.0",
        "POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a space before the colon",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a folded field",
        "POST / HTTP/1.1\r\n{H}X: a\r\n b\r\n\r\n",
        Refused,
    ),
    (
        "a folded coding",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a space before the first field",
        "GET / HTTP/1.1\r\n X: a\r\n{H}\r\n",
        Refused,
    ),
    (
        "bare line feeds",
        "GET / HTTP/1.1\nHost: jobi.localhost\n\n",
        Refused,
    ),
    (
        "one bare line feed",
        "GET / HTTP/1.1\r\nX: a\n{H}\r\n",
        Refused,
    ),
    (
        "a bare line feed at the end",
        "GET / HTTP/1.1\r\n{H}\n",
        Refused,
    ),
    (
        "a bare carriage return",
        "GET / HTTP/1.1\r\nX: a\rY: b\r\n{H}\r\n",
        Refused,
    ),
    ("a NUL", "GET / HTTP/1.1\r\nX: a\0b\r\n{H}\r\n", Refused),
    (
        "a field without a name",
        "GET / HTTP/1.1\r\n: a\r\n{H}\r\n",
        Refused,
    ),
    (
        "a field without a colon",
        "GET / HTTP/1.1\r\nX\r\n{H}\r\n",
        Refused,
    ),
    (
        "no host",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        Refused,
    ),
    (
        "two hosts",
        "GET / HTTP/1.1\r\n{H}Host: other.localhost\r\n\r\n",
        Refused,
    ),
    (
        "another host in the target",
        "GET http://other.localhost/ HTTP/1.1\r\n{H}\r\n",
        Refused,
    ),
    (
        "a space in the target",
        "GET /a b HTTP/1.1\r\n{H}\r\n",
        Refused,
    ),
    ("an odd version", "GET / HTTP/1.2\r\n{H}\r\n", Refused),
    ("HTTP/0.9", "GET /\r\n\r\n", Refused),
    (
        "CONNECT",
        "CONNECT jobi.localhost:80 HTTP/1.1\r\n{H}\r\n",
        Refused,
    ),
    (
        "a chunk without a size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n\r\nhi\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk that is longer than it says",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk of a huge size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk size with a sign",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a chunk size in C's way",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a bare line feed behind a chunk's size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a bare line feed behind a chunk",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\n0\r\n\r\n",
        Refused,
    ),
    (
        "a line feed in a chunk's extension",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nhi\r\n0\r\n\r\n",
        Refused,
    ),
];

#[test]
fn no_request_is_two() {
    let mut wrong = Vec::new();
    for (what, bytes, expected) in TABLE {
        let service = Service::echo();
        let town = Town::of(&[("frontend", service.port)]);
        let bytes = bytes.replace("{H}", "Host: jobi.localhost\r\nConnection: close\r\n");
        let answer = town.raw(bytes.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        // A body that turns out to be broken may have begun to reach the service; it is cut off
        // there, and never answered as a whole.
        let fate = match status.as_str() {
            "200" => One,
            "400" | "405" | "502" | "505" => Refused,
            _ => panic!("{what}: {answer}"),
        };
        let seen = service.seen();
        let smuggled = seen.len() > 1 || seen.iter().any(|one| one.contains("smuggled"));
        let heard = *expected == Refused && !seen.is_empty();
        if fate != *expected || smuggled || heard {
            wrong.push(format!(
                "{what}: {status:?} {fate:?}, the service saw {seen:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
