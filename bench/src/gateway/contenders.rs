//! The proxies that stand before one service, each told as little as it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::proxy::{Place, Proxy, body};
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
    let (service_port, _) = ranges.first();
    let at = |port, h2_port, service| Place {
        port,
        h2_port,
        service,
    };
    let place = at(service_port, Some(service_port + 1), service_port);
    let mut all = vec![Proxy::start(
        "direct",
        place,
        service(world, tools, place)?,
    )?];
    let mut missing = Vec::new();
    let mut add = |name, place, command: Result<Command>| match command
        .and_then(|command| Proxy::start(name, place, command))
    {
        Ok(one) => all.push(one),
        Err(why) => missing.push(format!("Not measured: {name} ({why}).\n\n")),
    };
    // nginx needs a port for each protocol, pitchfork two for a service of its own.
    let mut next = service_port + 2;
    let mut free = |count| {
        next += count;
        next - count
    };
    let port = free(1);
    let place = at(port, Some(port), service_port);
    add("portway", place, Ok(portway(world, place)));
    for (name, kept) in [("nginx, connections kept", true), ("nginx", false)] {
        let port = free(2);
        let place = at(port, Some(port + 1), service_port);
        add(name, place, nginx(world, tools, place, kept));
    }
    let port = free(1);
    let place = at(port, Some(port), service_port);
    add("caddy", place, caddy(world, tools, place));
    let (port, own) = (free(1), free(2));
    let place = at(port, Some(port), own);
    add("pitchfork", place, pitchfork(world, peers, tools, place));
    let place = at(free(1), None, service_port);
    add("portless", place, portless(world, peers, place));
    Ok((all, missing))
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// The service: nginx with one process, as an instance of Portway; with room for who never closes a
/// connection. On the port above it speaks
/// HTTP/2.
fn service(world: &World, tools: &Tools, Place { port, .. }: Place) -> Result<Command> {
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
    let file = nginx_file(world, name, ("1", 16384), &http)?;
    Ok(format!("{} -c {}", tools.nginx.display(), file.display()))
}

fn portway(world: &World, Place { port, .. }: Place) -> Command {
    let mut command = world.bound(&world.portway, HOME);
    command.args(["gateway", "--port", &port.to_string()]);
    command
}

/// A configuration that keeps nginx within its directory; `size` is how many processes it has, and how
/// many connections each of them. It is told to let connections live as long as they are used.
fn nginx_file(world: &World, name: &str, size: (&str, u16), http: &str) -> Result<PathBuf> {
    let (workers, connections) = size;
    let dir = world.fresh(name)?;
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display()))
        .collect();
    let text = format!(
        "worker_processes {workers};\ndaemon off;\nerror_log /dev/null;\npid {}/pid;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\n{places}{http}\n}}\n",
        dir.display()
    );
    write(&dir, "nginx.conf", &text)
}

/// As many processes and connections as Debian's own configuration says, a process for each
/// processor. It tells the service the same as Portway does.
fn nginx(world: &World, tools: &Tools, place: Place, kept: bool) -> Result<Command> {
    let Place { port, service, .. } = place;
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
    let file = nginx_file(
        world,
        &format!("gateway-nginx-{port}"),
        ("auto", 768),
        &http,
    )?;
    let mut command = tools.command(world, &tools.nginx);
    command.arg("-c").arg(file);
    Ok(command)
}

fn caddy(world: &World, tools: &Tools, place: Place) -> Result<Command> {
    let Place { port, service, .. } = place;
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
fn pitchfork(world: &World, peers: &Peers, tools: &Tools, place: Place) -> Result<Command> {
    let Place { port, service, .. } = place;
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
fn portless(world: &World, peers: &Peers, place: Place) -> Result<Command> {
    let Place { port, service, .. } = place;
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
