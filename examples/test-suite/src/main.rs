//! An HTTP server that counts its visitors. It listens on 127.0.0.1 at the port in `PORT`.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut visits = 0;
    for stream in listener.incoming() {
        visits += 1;
        // A client that closes its connection early is not an error of the server.
        let _ = respond(stream?, visits);
    }
    Ok(())
}

fn respond(mut stream: TcpStream, visits: u64) -> std::io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while request.read_line(&mut line)? > 0 && line != "\r\n" {
        line.clear();
    }
    let body = format!("visit {visits}\n");
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
