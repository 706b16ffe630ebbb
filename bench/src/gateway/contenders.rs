//! The proxies that stand before one service, each told as little as it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::proxy::{Proxy, body};
use super::tools::{HOME, Tools};
use crate::Result;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::world::{World, run};

/// Version of pitchfork, from the Rust registry.
const PITCHFORK: &str = "2.33.0";

/// Starts the service, and all proxies before it; and tells what is missing, with the reason. The
/// service itself is the first, for those that ask it without a proxy.
pub(super) fn all(
    world: &World,
    peers: &Peers,
    tools: &Tools,
    ranges: &Ranges,
) -> Result<(Vec<Proxy>, Vec<String>)> {
    let (port, _) = ranges.first();
    let direct = Proxy::start("direct", port, Some(port + 1), port, |_, _| {
        service(world, tools, port)
    })?;
    let mut all = vec![direct];
    let mut missing = Vec::new();
    let mut add = |name: &str, one: Result<Proxy>| match one {
        Ok(one) => all.push(one),
        Err(why) => missing.push(format!("Not measured: {name} ({why}).\n\n")),
    };
    let gateway = port + 2;
    add(
        "portway",
        Proxy::start("portway", gateway, Some(gateway), port, |_, port| {
            let mut command = world.bound(&world.portway, HOME);
            command.args(["gateway", "--port", &port.to_string()]);
            Ok(command)
        }),
    );
    for (name, first, kept) in [
        ("nginx, connections kept", port + 3, true),
        ("nginx", port + 5, false),
    ] {
        let start = |service, port| nginx(world, tools, service, port, kept);
        add(
            name,
            Proxy::start(name, first, Some(first + 1), port, start),
        );
    }
    let caddy_port = port + 7;
    add(
        "caddy",
        Proxy::start(
            "caddy",
            caddy_port,
            Some(caddy_port),
            port,
            |service, port| caddy(world, tools, service, port),
        ),
    );
    let (own, front) = (port + 8, port + 10);
    add(
        "pitchfork",
        Proxy::start("pitchfork", front, Some(front), own, |service, port| {
            pitchfork(world, peers, tools, service, port)
        }),
    );
    add(
        "portless",
        Proxy::start("portless", port + 11, None, port, |service, port| {
            portless(world, peers, service, port)
        }),
    );
    Ok((all, missing))
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// The service: nginx with one process, as an instance of Portway. On the port above it speaks
/// HTTP/2.
fn service(world: &World, tools: &Tools, port: u16) -> Result<Command> {
    let words = nginx_service(world, tools, "gateway-service", port)?;
    let manifest = format!(
        "[project]\nname = \"bench\"\n\n[services.api]\ncommand = \"{words}\"\nport = \"{port}-{port}\"\n"
    );
    let dir = world.checkout("gateway-checkout", &manifest)?;
    let mut command = tools.command(world, &world.portway);
    command.arg("-C").arg(dir).arg("up");
    Ok(command)
}

/// The command line of the service on `port`.
fn nginx_service(world: &World, tools: &Tools, name: &str, port: u16) -> Result<String> {
    let http = format!(
        "server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{} http2; location / {{ default_type text/plain; \
         return 200 \"{}\"; }} }}",
        port + 1,
        body()
    );
    let file = nginx_file(world, name, "1", &http)?;
    Ok(format!("{} -c {}", tools.nginx.display(), file.display()))
}

/// A configuration that keeps nginx within its directory. It is told to let connections live as
/// long as they are used.
fn nginx_file(world: &World, name: &str, workers: &str, http: &str) -> Result<PathBuf> {
    let dir = world.fresh(name)?;
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display()))
        .collect();
    let text = format!(
        "worker_processes {workers};\ndaemon off;\nerror_log /dev/null;\npid {}/pid;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\n{places}{http}\n}}\n",
        dir.display()
    );
    write(&dir, "nginx.conf", &text)
}

/// As many processes as there are processors, which is what Debian's own configuration says; it
/// tells the service the same as Portway does.
fn nginx(world: &World, tools: &Tools, service: u16, port: u16, kept: bool) -> Result<Command> {
    let keep = match kept {
        true => "keepalive 256; keepalive_requests 1000000000;",
        false => "",
    };
    // Without this nginx asks by HTTP/1.0, and each time on a connection of its own.
    let version = match kept {
        true => "proxy_http_version 1.1; proxy_set_header Connection \"\";",
        false => "",
    };
    let http = format!(
        "upstream service {{ server 127.0.0.1:{service}; {keep} }}\n\
         server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{} http2; location / {{\n\
         proxy_pass http://service; {version}\n\
         proxy_set_header Host $http_host;\n\
         proxy_set_header Forwarded \"for=$remote_addr;host=\\\"$http_host\\\";proto=$scheme\";\n\
         proxy_set_header X-Forwarded-For $remote_addr;\n\
         proxy_set_header X-Forwarded-Host $http_host;\n\
         proxy_set_header X-Forwarded-Port $server_port;\n\
         proxy_set_header X-Forwarded-Proto $scheme;\n}} }}",
        port + 1
    );
    let file = nginx_file(world, &format!("gateway-nginx-{port}"), "auto", &http)?;
    let mut command = tools.command(world, &tools.nginx);
    command.arg("-c").arg(file);
    Ok(command)
}

fn caddy(world: &World, tools: &Tools, service: u16, port: u16) -> Result<Command> {
    let text = format!(
        "{{\n admin off\n auto_https off\n servers {{\n  protocols h1 h2c\n }}\n}}\n\
         http://:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{service}\n}}\n"
    );
    let file = write(&world.fresh("gateway-caddy")?, "Caddyfile", &text)?;
    let mut command = tools.command(world, &tools.caddy);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    Ok(command)
}

/// It leads to daemons of its own alone, so it has a service like the other one for itself, which
/// it starts with the first request. Built without its proxy's TLS, as for `bench up`.
fn pitchfork(
    world: &World,
    peers: &Peers,
    tools: &Tools,
    service: u16,
    port: u16,
) -> Result<Command> {
    let program = peers.built(
        "pitchfork",
        "pitchfork-cli",
        PITCHFORK,
        &["--no-default-features"],
    )?;
    let words = nginx_service(world, tools, "gateway-pitchfork-service", service)?;
    let home = "gateway-pitchfork-home";
    let dir = world.fresh("gateway-pitchfork")?;
    let daemon = format!(
        "[daemons.api]\nrun = \"exec {words}\"\nport = {{ expect = [{service}] }}\nready_port = {service}\n"
    );
    write(&dir, "pitchfork.toml", &daemon)?;
    let names = format!(
        "[slugs]\nbench = {{ dir = \"{}\", daemon = \"api\" }}\n",
        dir.display()
    );
    let config = world.fresh(home)?.join(".config/pitchfork");
    fs::create_dir_all(&config).map_err(|error| format!("{}: {error}", config.display()))?;
    write(&config, "config.toml", &names)?;
    let mut command = world.bound(program, home);
    command.args(["supervisor", "run"]).current_dir(dir);
    for (name, value) in [
        ("ENABLE", "true"),
        ("PORT", &port.to_string()),
        ("HTTPS", "false"),
        ("DNS", "false"),
        ("SYNC_HOSTS", "false"),
        ("AUTO_TRUST", "false"),
    ] {
        command.env(format!("PITCHFORK_PROXY_{name}"), value);
    }
    Ok(command)
}

/// With the Node that it wants, from the same registry.
fn portless(world: &World, peers: &Peers, service: u16, port: u16) -> Result<Command> {
    let modules = peers.npm(world, "portless")?.join("node_modules");
    let home = "gateway-portless-home";
    world.fresh(home)?;
    let portless = || {
        let mut command = world.bound(modules.join("node/bin/node"), home);
        command.arg(modules.join("portless/dist/cli.js"));
        command
    };
    run(portless()
        .args(["alias", "bench", &service.to_string()])
        .stdout(Stdio::null()))?;
    let mut command = portless();
    command.args([
        "proxy",
        "start",
        "--no-tls",
        "--foreground",
        "--port",
        &port.to_string(),
    ]);
    Ok(command)
}
