//! Ports in source.

use super::*;

fn reads(variable: &str, usual: Option<u16>) -> Option<Port> {
    let variable = variable.to_owned();
    Some(Port::Reads { variable, usual })
}

#[test]
fn finds_the_port_of_a_server() {
    for (text, expected) in [
        ("app.listen(3000)", Some(Port::Literal(3000, 1))),
        (
            "const port = 4000;\n\napp.listen(port, () => {})",
            Some(Port::Literal(4000, 3)),
        ),
        (
            "const port: number = 4000\napp.listen({ port })",
            Some(Port::Literal(4000, 2)),
        ),
        (
            "fastify.listen({ port: 3001, host: '0.0.0.0' })",
            Some(Port::Literal(3001, 1)),
        ),
        (
            "serve({\n  fetch: app.fetch,\n  port: 3000\n}, (info) => {})",
            Some(Port::Literal(3000, 3)),
        ),
        (
            "export default {\n  port: 8080,\n  fetch: app.fetch,\n}",
            Some(Port::Literal(8080, 2)),
        ),
        ("Bun.serve({ port: 3000 })", Some(Port::Literal(3000, 1))),
        (
            "await app.listen(process.env.PORT ?? 3000);",
            reads("PORT", Some(3000)),
        ),
        (
            "const port = normalizePort(process.env.PORT || '4000');\nserver.listen(port)",
            reads("PORT", Some(4000)),
        ),
        (
            "const { PORT = 5000 } = process.env",
            reads("PORT", Some(5000)),
        ),
        ("serve({ port: Number(env['PORT']) })", reads("PORT", None)),
        (
            "process.env.REPORT; app.listen(80)",
            Some(Port::Literal(80, 1)),
        ),
        ("process.env.DB_PORT; x", None),
        (
            "const PORT = process.env.CONTAINER_PORT || 8080;\napp.listen(PORT)",
            reads("CONTAINER_PORT", Some(8080)),
        ),
        (
            "const PORT: number = Number(process.env.OWN_PORT || process.env.PORT || 8080);\napp.listen(PORT)",
            reads("PORT", Some(8080)),
        ),
        (
            "new Elysia().listen(Number(process.env.HOST_PORT))",
            reads("HOST_PORT", None),
        ),
        (
            "const port = process.env.SERVER_PORT || 8085;\nserver.listen(port)",
            reads("SERVER_PORT", Some(8085)),
        ),
        (
            "const p = +Bun.env['X_PORT'] || 1\nserve({\n  fetch,\n  port: p,\n})",
            reads("X_PORT", Some(1)),
        ),
        (
            "const port = Deno.env.get(\"X_PORT\")\nserver.listen({ port, host })",
            reads("X_PORT", None),
        ),
        (
            "export default { port: process.env.API_PORT ?? 4000 }",
            reads("API_PORT", Some(4000)),
        ),
        ("db: { port: process.env.DB_PORT }", None),
        ("const API_PORT = process.env.API_PORT", None),
        (
            "port: process.env.APP_PORT\n  ? parseInt(process.env.APP_PORT, 10)\n  : process.env.PORT\n    ? 1\n    : 3000",
            reads("APP_PORT", None),
        ),
        (
            "const port = process.env.API_PORT || process.env.PORT || 3000",
            reads("API_PORT", Some(3000)),
        ),
        ("// app.listen(3000)\n * app.listen(3000)", None),
        ("db.connect({ port: 5432 })", None),
        ("app.listen()", None),
        ("app.listen(99999)", None),
        (
            "server.bindAsync('0.0.0.0:50051', credentials, () => {})",
            Some(Port::Literal(50_051, 1)),
        ),
        ("app.listen('3000')", Some(Port::Literal(3000, 1))),
        (
            "module.exports = { a: 1, port: parseInt(process.env.SERVER_PORT, 10) || 5056, b: 'x' }",
            reads("SERVER_PORT", Some(5056)),
        ),
        (
            "const { SHOP_PORT = 4322 } = process.env\napp.listen({ port: SHOP_PORT })",
            reads("SHOP_PORT", Some(4322)),
        ),
        (
            "const {\n  SHOP_PORT: at = '4322',\n} = process.env\nserver.listen(at)",
            reads("SHOP_PORT", Some(4322)),
        ),
        ("db({ port: process.env.API_PORT_X })", None),
        (
            "apiPort: process.env.API_PORT || 4108,",
            reads("API_PORT", Some(4108)),
        ),
        ("dbPort: process.env.DB_PORT || 4109,", None),
        ("apiPort: process.env.API_PORT,", None),
        (
            "const wss = new WebSocketServer({ port: Number(process.env.WS_PORT) || 4001 })",
            reads("WS_PORT", Some(4001)),
        ),
        (
            "new WebSocket.Server({\n  path: '/x',\n  port: 4002,\n})",
            Some(Port::Literal(4002, 1)),
        ),
        ("const io = new Server(3033)", Some(Port::Literal(3033, 1))),
        ("const io = new Server(http, { cors: {} })", None),
        (
            "new WebSocketServer({ noServer: true })\ndb({ port: 5432 })",
            None,
        ),
        (
            "startStandaloneServer(server, { listen: { port: process.env.GQL_PORT || 4044 } })",
            reads("GQL_PORT", Some(4044)),
        ),
        (
            "await startStandaloneServer(server, {\n  listen: { port: 4045 },\n})",
            Some(Port::Literal(4045, 1)),
        ),
        (
            "net.createServer().listen(process.env.TCP_PORT || 7007)",
            reads("TCP_PORT", Some(7007)),
        ),
        (
            "createHTTPServer({ router }).listen(2022)",
            Some(Port::Literal(2022, 1)),
        ),
    ] {
        assert_eq!(port(text), expected, "{text}");
    }
}

#[test]
fn a_server_that_uses_another_one_does_not_listen() {
    for (text, expected) in [
        ("new WebSocketServer({ server })", false),
        ("new Server(httpServer, { cors: { origin: '*' } })", false),
        ("new Server({ name: 'tools', version: '1' })", false),
        ("new WebSocketServer({ port })", true),
        ("new Server(PORT)\nconst PORT = 3000", true),
        ("startStandaloneServer(server)", true),
    ] {
        assert_eq!(has_server(text), expected, "{text}");
    }
}

#[test]
fn ignores_ports_of_nested_configuration() {
    for (text, port) in [
        ("export default { server: { port: 3000 } }", Some(3000)),
        (
            "server: {\n  hmr: { port: 443 },\n  proxy: {\n    '/api': { target: 'x', port: 1 },\n  },\n  port: 3001,\n}",
            Some(3001),
        ),
        (
            "server: {\n  hmr: { port: 443 },\n}\npreview: { port: 1 }",
            None,
        ),
        ("\"options\": {\n  \"port\": 4300\n}", Some(4300)),
        ("server: { port: process.env.X }", None),
        (
            "server: { port: Number(process.env.X) || 3002, open: true }",
            Some(3002),
        ),
        ("server: { port: parseInt(env.X ?? '3003') }", Some(3003)),
        ("const port = 3004;\nserver: {\n  port,\n}", None),
        (
            "const PORT = 3004;\nserver: {\n  port: PORT,\n}",
            Some(3004),
        ),
        ("server: serverOptions, port: 1", None),
        ("devServer: { support: 5 }", None),
        ("// server: { port: 1 }", None),
    ] {
        let key = ["server", "options", "devServer"];
        let key = key.into_iter().find(|key| text.contains(key)).unwrap();
        assert_eq!(configured(text, key), port, "{text}");
    }
}
