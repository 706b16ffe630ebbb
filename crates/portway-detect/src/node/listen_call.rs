//! Calls in JavaScript and TypeScript that make a program listen.

/// Calls that listen, whatever their arguments are.
const CALLS: [&str; 5] = [
    "listen(",
    "bindAsync(",
    "serve(",
    "startStandaloneServer(",
    "export default {",
];

/// Calls that listen if they have a port, such as those of `ws` and Socket.IO. Without one, they use another
/// server.
const WITH_PORT: [&str; 5] = [
    "new WebSocketServer(",
    "new WebSocket.Server(",
    "new ws.Server(",
    "new Server(",
    "new SocketServer(",
];

/// A call that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListenCall {
    /// The index in its line where its arguments start.
    pub(super) at: usize,
    /// Whether it listens only if its arguments have a port.
    pub(super) needs_port: bool,
    /// Whether the port is in an object that is not the first argument.
    pub(super) is_nested: bool,
}

/// Returns the call in a line that listens.
pub(super) fn find(line: &str) -> Option<ListenCall> {
    let of = |calls: &[&str], needs_port| {
        calls.iter().find_map(|call| {
            let at = line.find(call)?;
            let before = line[..at].chars().next_back();
            let is_call = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            is_call.then_some(ListenCall {
                at: at + call.len(),
                needs_port,
                is_nested: call.starts_with("startStandalone"),
            })
        })
    };
    of(&CALLS, false).or_else(|| of(&WITH_PORT, true))
}

/// Returns the text of the arguments that start at `line[at..]`, which may span several lines of `text`.
/// `line` is a part of `text`.
pub(super) fn arguments<'t>(text: &'t str, line: &'t str, at: usize) -> &'t str {
    let start = line.as_ptr() as usize - text.as_ptr() as usize + at;
    let rest = &text[start..];
    let mut depth = 1_usize;
    let end = rest.find(|c| {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    &rest[..end.unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_calls_and_their_arguments() {
        let of = |text: &'static str| {
            let line = text.lines().next()?;
            let call = find(line)?;
            Some((arguments(text, line, call.at), call.needs_port))
        };
        assert_eq!(
            of("app.listen(3000, f(x)) // )"),
            Some(("3000, f(x)", false))
        );
        assert_eq!(
            of("new WebSocketServer({\n  port: 1\n})\nport: 2"),
            Some(("{\n  port: 1\n}", true))
        );
        assert_eq!(of("new Server(3033)"), Some(("3033", true)));
        assert_eq!(of("new grpc.Server()"), None);
        assert_eq!(of("renew Server2(1)"), None);
    }
}
