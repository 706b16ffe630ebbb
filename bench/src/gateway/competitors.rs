//! The service and the proxies in front of it, each with a minimal configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::proxy::{Endpoints, Proxy, body};
use super::tools::{HOME, Tools};
use crate::Result;
use crate::env::{BenchEnv, run};
use crate::peers::Peers;
use crate::ports::ranges::Ranges;

/// The version of the crate pitchfork-cli.
const PITCHFORK: &str = "2.33.0";

/// Start the service and all proxies. The first one is the service itself. Returns also a line for
/// each proxy that is not available, with the reason.
pub(super) fn start_all(
    env: &BenchEnv,
    peers: &Peers,
    tools: &Tools,
    ranges: &Ranges,
) -> Result<(Vec<Proxy>, Vec<String>)> {
    let (service_port, _) = ranges.backend();
    let endpoints = |port, h2_port, service| Endpoints {
        port,
        h2_port,
        service,
    };
    let own = endpoints(service_port, Some(service_port + 1), service_port);
    let mut all = vec![Proxy::start("direct", own, service(env, tools, own)?)?];
    let mut missing = Vec::new();
    let mut add = |name, endpoints, command: Result<Command>| match command
        .and_then(|command| Proxy::start(name, endpoints, command))
    {
        Ok(proxy) => all.push(proxy),
        Err(reason) => missing.push(format!("Not measured: {name} ({reason}).\n\n")),
    };
    // nginx needs a port for each protocol. pitchfork needs two for its own service.
    let mut next = service_port + 2;
    let mut allocate = |count| {
        next += count;
        next - count
    };
    let port = allocate(1);
    let own = endpoints(port, Some(port), service_port);
    add("portway", own, Ok(portway(env, own)));
    for (name, keep_alive) in [("nginx, keep-alive", true), ("nginx", false)] {
        let port = allocate(2);
        let own = endpoints(port, Some(port + 1), service_port);
        add(name, own, nginx(env, tools, own, keep_alive));
    }
    let port = allocate(1);
    let own = endpoints(port, Some(port), service_port);
    add("caddy", own, caddy(env, tools, own));
    let (port, daemon) = (allocate(1), allocate(2));
    let own = endpoints(port, Some(port), daemon);
    add("pitchfork", own, pitchfork(env, peers, tools, own));
    let own = endpoints(allocate(1), None, service_port);
    add("portless", own, portless(env, peers, own));
    Ok((all, missing))
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// The service: nginx with one process, run as an instance of Portway. It accepts many connections,
/// because some proxies never close one. It serves HTTP/2 on the next port.
fn service(env: &BenchEnv, tools: &Tools, Endpoints { port, .. }: Endpoints) -> Result<Command> {
    let line = nginx_service(env, tools, "gateway-service", port)?;
    let manifest = format!(
        "[project]\nname = \"bench\"\n\n[services.api]\ncommand = \"{line}\"\nport = \"{port}-{port}\"\n"
    );
    let dir = env.checkout("gateway-checkout", &manifest)?;
    let mut command = tools.command(env, &env.portway);
    command.arg("-C").arg(dir).arg("up");
    Ok(command)
}

/// The command line of a service on `port`.
fn nginx_service(env: &BenchEnv, tools: &Tools, name: &str, port: u16) -> Result<String> {
    let http = format!(
        "server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{} http2; location / {{ default_type text/plain; \
         return 200 \"{}\"; }} }}",
        port + 1,
        body()
    );
    let file = nginx_file(env, name, ("1", 16384), &http)?;
    Ok(format!("{} -c {}", tools.nginx.display(), file.display()))
}

fn portway(env: &BenchEnv, Endpoints { port, .. }: Endpoints) -> Command {
    let mut command = env.child_command(&env.portway, HOME);
    command.args(["gateway", "--port", &port.to_string()]);
    command
}

/// Write a configuration with which nginx writes only below its own directory. `size` is the number
/// of workers, and of connections of each worker. nginx keeps connections open while they are used.
fn nginx_file(env: &BenchEnv, name: &str, size: (&str, u16), http: &str) -> Result<PathBuf> {
    let (workers, connections) = size;
    let dir = env.empty_dir(name)?;
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display()))
        .collect();
    let text = format!(
        "worker_processes {workers};\ndaemon off;\nerror_log /dev/null;\npid {}/pid;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\n{paths}{http}\n}}\n",
        dir.display()
    );
    write(&dir, "nginx.conf", &text)
}

/// nginx with the numbers of workers and connections of Debian's configuration: one worker for each
/// processor. It sends the same forwarding headers as Portway. `keep_alive`: reuse connections to
/// the service.
fn nginx(env: &BenchEnv, tools: &Tools, endpoints: Endpoints, keep_alive: bool) -> Result<Command> {
    let Endpoints { port, service, .. } = endpoints;
    let keep = match keep_alive {
        true => "keepalive 256; keepalive_requests 1000000000;",
        false => "",
    };
    // Without these lines, nginx uses HTTP/1.0 and a new connection for each request.
    let version = match keep_alive {
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
    let file = nginx_file(env, &format!("gateway-nginx-{port}"), ("auto", 768), &http)?;
    let mut command = tools.command(env, &tools.nginx);
    command.arg("-c").arg(file);
    Ok(command)
}

fn caddy(env: &BenchEnv, tools: &Tools, endpoints: Endpoints) -> Result<Command> {
    let Endpoints { port, service, .. } = endpoints;
    let text = format!(
        "{{\n admin off\n auto_https off\n servers {{\n  protocols h1 h2c\n }}\n}}\n\
         http://:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{service}\n}}\n"
    );
    let file = write(&env.empty_dir("gateway-caddy")?, "Caddyfile", &text)?;
    let mut command = tools.command(env, &tools.caddy);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    Ok(command)
}

/// pitchfork routes only to its own daemons, so it has its own copy of the service, which it starts
/// with the first request. Built without TLS, as for `bench up`.
fn pitchfork(
    env: &BenchEnv,
    peers: &Peers,
    tools: &Tools,
    endpoints: Endpoints,
) -> Result<Command> {
    let Endpoints { port, service, .. } = endpoints;
    let program = peers.cargo_package(
        "pitchfork",
        "pitchfork-cli",
        PITCHFORK,
        &["--no-default-features"],
    )?;
    let line = nginx_service(env, tools, "gateway-pitchfork-service", service)?;
    let home = "gateway-pitchfork-home";
    let dir = env.empty_dir("gateway-pitchfork")?;
    let daemon = format!(
        "[daemons.api]\nrun = \"exec {line}\"\nport = {{ expect = [{service}] }}\nready_port = {service}\n"
    );
    write(&dir, "pitchfork.toml", &daemon)?;
    let names = format!(
        "[slugs]\nbench = {{ dir = \"{}\", daemon = \"api\" }}\n",
        dir.display()
    );
    let config = env.empty_dir(home)?.join(".config/pitchfork");
    fs::create_dir_all(&config).map_err(|error| format!("{}: {error}", config.display()))?;
    write(&config, "config.toml", &names)?;
    let mut command = env.child_command(program, home);
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

/// portless with the Node version that it requires, from npm.
fn portless(env: &BenchEnv, peers: &Peers, endpoints: Endpoints) -> Result<Command> {
    let Endpoints { port, service, .. } = endpoints;
    let modules = peers.npm(env, "portless")?.join("node_modules");
    let home = "gateway-portless-home";
    env.empty_dir(home)?;
    let portless = || {
        let mut command = env.child_command(modules.join("node/bin/node"), home);
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
