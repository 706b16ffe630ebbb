use super::*;
use crate::Manifest;
use crate::mapping::{self, AppVariable, Origin, Place};

mod isolation;

fn wire(text: &str, with: &[&str], ports: &[(&str, &[u16])]) -> Wiring {
    wire_with_gateway(None, text, with, ports)
}

fn wire_with_gateway(
    gateway: Option<&GatewayPorts>,
    text: &str,
    with: &[&str],
    ports: &[(&str, &[u16])],
) -> Wiring {
    wire_with_mapping(gateway, text, with, ports, &IndexMap::new())
}

fn wire_with_mapping(
    gateway: Option<&GatewayPorts>,
    text: &str,
    with: &[&str],
    ports: &[(&str, &[u16])],
    mappings: &IndexMap<String, Mapping>,
) -> Wiring {
    let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), text).unwrap();
    let with: Vec<String> = with.iter().map(|&name| name.to_owned()).collect();
    let plan = Plan::new(&manifest, &with).unwrap();
    let ports = ports
        .iter()
        .map(|(name, ports)| ((*name).to_owned(), ports.to_vec()))
        .collect();
    let checkout = Checkout {
        root: "/jobi".into(),
        id: "0123456789abcdef".into(),
        git: None,
    };
    let file = IndexMap::from([
        ("BACKEND_URL".to_owned(), "http://localhost:1".to_owned()),
        ("SECRET".to_owned(), "s".to_owned()),
        ("SSL_CERT_FILE".to_owned(), "/own.pem".to_owned()),
    ]);
    let files = IndexMap::from([("backend".to_owned(), file)]);
    let trust = IndexMap::from([
        ("NODE_EXTRA_CA_CERTS".to_owned(), "/ca/root.pem".to_owned()),
        ("SSL_CERT_FILE".to_owned(), "/ca/bundle.pem".to_owned()),
    ]);
    let ports = AssignedPorts(ports);
    let input = WiringInput {
        instance: "jobi",
        env_files: &files,
        mappings,
        trust: &trust,
        gateway,
        inner: None,
    };
    Wiring::new(&plan, &ports, &checkout, &input)
}

const JOBI: &str = r#"
    [services.backend]
    command = "serve {host} {port} --cache={redis.url} --ui={frontend.url}"
    dir = "backend"
    [services.frontend]
    command = "vite {port}"
    env = { API = "{backend.url}/v1", PORT = "0" }
    [services.redis]
    command = "redis-server"
    optional = true
"#;
const TWO: [(&str, &[u16]); 2] = [("backend", &[9003]), ("frontend", &[5180])];

#[test]
fn two_services_have_exactly_four_keys() {
    let json = serde_json::to_string(&wire(JOBI, &[], &TWO).ports_json).unwrap();
    assert_eq!(
        json,
        r#"{"backend_port":9003,"frontend_port":5180,"backend_url":"http://localhost:9003","frontend_url":"http://localhost:5180"}"#
    );
}

#[test]
fn a_health_path_adds_its_url_after_all_others() {
    let text = JOBI.replace("dir = \"backend\"", "health = \"/health?full\"");
    let json = serde_json::to_string(&wire(&text, &[], &TWO).ports_json).unwrap();
    assert_eq!(
        json,
        r#"{"backend_port":9003,"frontend_port":5180,"backend_url":"http://localhost:9003","frontend_url":"http://localhost:5180","backend_health_url":"http://localhost:9003/health?full"}"#
    );
}

#[test]
fn a_third_service_adds_its_port_and_url() {
    let ports = [TWO[0], TWO[1], ("redis", &[6380])];
    let wiring = wire(JOBI, &["redis"], &ports);
    assert_eq!(wiring.ports_json["redis_port"], 6380);
    assert_eq!(wiring.ports_json["redis_url"], "redis://localhost:6380");
    assert_eq!(wiring.shared["REDIS_URL"], "redis://localhost:6380");
    assert!(!wiring.shared.contains_key("VITE_REDIS_URL"));
    let backend = &wiring.services["backend"];
    assert_eq!(
        backend.command,
        "serve 127.0.0.1 9003 --cache=redis://localhost:6380 --ui=http://localhost:5180"
    );
}

#[test]
fn placeholders_of_a_disabled_service_are_empty() {
    let command = &wire(JOBI, &[], &TWO).services["backend"].command;
    assert_eq!(
        command,
        "serve 127.0.0.1 9003 --cache= --ui=http://localhost:5180"
    );
}

#[test]
fn each_service_receives_its_own_port_and_those_of_its_peers() {
    let wiring = wire(JOBI, &[], &TWO);
    let env = &wiring.services["backend"].env;
    for (name, value) in [
        ("PORT", "9003"),
        ("HOST", "127.0.0.1"),
        ("FRONTEND_URL", "http://localhost:5180"),
        ("FRONTEND_PORT", "5180"),
        ("VITE_BACKEND_URL", "http://localhost:9003"),
        ("PORTWAY_INSTANCE", "jobi"),
        ("PORTWAY_SERVICE", "backend"),
        // The wiring overrides a stale value of the file; other values of the file stay.
        ("BACKEND_URL", "http://localhost:9003"),
        ("SECRET", "s"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    assert_eq!(wiring.services["backend"].dir, Path::new("/jobi/backend"));
}

#[test]
fn a_file_overrides_the_trust_variables() {
    let wiring = wire(JOBI, &[], &TWO);
    assert_eq!(wiring.shared["NODE_EXTRA_CA_CERTS"], "/ca/root.pem");
    let of = |service: &str, name: &str| wiring.services[service].env[name].clone();
    assert_eq!(of("backend", "NODE_EXTRA_CA_CERTS"), "/ca/root.pem");
    assert_eq!(of("backend", "SSL_CERT_FILE"), "/own.pem");
    assert_eq!(of("frontend", "SSL_CERT_FILE"), "/ca/bundle.pem");
}

#[test]
fn variables_of_the_manifest_override_all_others() {
    let env = &wire(JOBI, &[], &TWO).services["frontend"].env;
    assert_eq!(env["API"], "http://localhost:9003/v1");
    assert_eq!(env["PORT"], "0");
}

#[test]
fn cors_origins_are_exact_and_local() {
    assert_eq!(
        wire(JOBI, &[], &TWO).shared["CORS_ORIGINS"],
        "http://localhost:5180,http://127.0.0.1:5180,\
         http://localhost:5173,http://127.0.0.1:5173,\
         http://localhost:3000,http://127.0.0.1:3000"
    );
    let usual = [("backend", &[9000_u16][..]), ("frontend", &[5173])];
    assert_eq!(
        wire(JOBI, &[], &usual).shared["CORS_ORIGINS"],
        "http://localhost:5173,http://127.0.0.1:5173,\
         http://localhost:3000,http://127.0.0.1:3000"
    );
}

#[test]
fn cors_origins_include_the_host_names_of_the_gateway() {
    let gateway = |http, https| GatewayPorts {
        http,
        https,
        fixed: vec![4000],
    };
    let named = |gateway: GatewayPorts, text: &str| {
        let wiring = wire_with_gateway(Some(&gateway), text, &[], &TWO);
        assert!(wiring.shared["CORS_ORIGINS"].contains(",http://127.0.0.1:4000,"));
        let origins = wiring.shared["CORS_ORIGINS"].split(',');
        let named = origins.filter(|one| one.contains("jobi"));
        named.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        named(gateway(7678, None), JOBI),
        [
            "http://jobi.localhost:7678",
            "http://frontend.jobi.localhost:7678"
        ]
    );
    assert_eq!(
        named(gateway(80, Some(7679)), JOBI),
        [
            "http://jobi.localhost",
            "https://jobi.localhost:7679",
            "http://frontend.jobi.localhost",
            "https://frontend.jobi.localhost:7679"
        ]
    );
    let main = JOBI.replace("dir = \"backend\"", "main = true");
    assert_eq!(
        named(gateway(80, None), &main),
        ["http://frontend.jobi.localhost"]
    );
}

#[test]
fn cors_origins_include_pages_on_the_local_network() {
    let text = JOBI.replace(
        "dir = \"backend\"",
        "env = { CORS_ORIGINS = \"http://own\" }",
    );
    let published = ["backend".to_owned(), "frontend".to_owned()];
    let on_lan = |text: &str| {
        let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), text).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        let ports = AssignedPorts(TWO.map(|(n, p)| (n.to_owned(), p.to_vec())).into());
        let mut wiring = wire(text, &[], &TWO);
        let address = std::net::Ipv4Addr::new(192, 168, 1, 5);
        wiring.publish_on_lan(&plan, &ports, &published, &[address], "jobi-laptop.local");
        wiring
    };
    let wiring = on_lan(JOBI);
    let more = ",http://192.168.1.5:5180,http://jobi-laptop.local:5180";
    assert!(wiring.shared["CORS_ORIGINS"].ends_with(more));
    let backend = &wiring.services["backend"].env;
    assert_eq!(backend["CORS_ORIGINS"], wiring.shared["CORS_ORIGINS"]);
    assert!(!backend.contains_key(VITE_ALLOWED_HOST));
    let frontend = &wiring.services["frontend"].env;
    assert_eq!(frontend[VITE_ALLOWED_HOST], "jobi-laptop.local");
    let own = on_lan(&text);
    assert_eq!(own.services["backend"].env["CORS_ORIGINS"], "http://own");
}

#[test]
fn named_ports_have_their_own_keys() {
    let wiring = wire(
        "[services.my-api]\ncommand = \"x {port} {ports.metrics}\"\n\
         ports = { http = 8000, metrics = 9100 }",
        &[],
        &[("my-api", &[8000, 9101])],
    );
    assert_eq!(wiring.ports_json["my_api_port"], 8000);
    assert_eq!(
        wiring.ports_json["my_api_metrics_url"],
        "http://localhost:9101"
    );
    let launch = &wiring.services["my-api"];
    assert_eq!(launch.command, "x 8000 9101");
    assert_eq!(launch.env["PORT_METRICS"], "9101");
    assert_eq!(launch.env["MY_API_METRICS_PORT"], "9101");
}

/// Wires two services; the mapping of `backend` is that of these variables in a `.env` file.
fn wire_mapped(pairs: &[(&str, &str)]) -> Wiring {
    let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), JOBI).unwrap();
    let plan = Plan::new(&manifest, &[]).unwrap();
    let variables: Vec<AppVariable> = pairs
        .iter()
        .map(|(name, value)| AppVariable {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            place: Place {
                file: ".env".to_owned(),
                line: 1,
            },
            origin: Origin::File,
        })
        .collect();
    let endpoints = mapping::endpoints(&plan);
    let mapping = Mapping::new("backend", &variables, &endpoints, false, &[]);
    let mappings = IndexMap::from([("backend".to_owned(), mapping)]);
    wire_with_mapping(None, JOBI, &[], &TWO, &mappings)
}

#[test]
fn variables_of_the_application_are_mapped_to_the_ports_of_the_instance() {
    let wiring = wire_mapped(&[
        ("FRONTEND_URL", "http://127.0.0.1:5173/app"),
        ("PUBLIC_API", "http://localhost:9000/v1"),
        ("CORS_ORIGINS", "https://jobi.example"),
        ("TRUSTED_ORIGINS", "[\"https://jobi.example\"]"),
    ]);
    let env = &wiring.services["backend"].env;
    assert_eq!(env["FRONTEND_URL"], "http://127.0.0.1:5180/app");
    assert_eq!(env["PUBLIC_API"], "http://localhost:9003/v1");
    let origins = &wiring.shared["CORS_ORIGINS"];
    assert!(origins.starts_with("http://localhost:5180,"), "{origins}");
    assert_eq!(
        env["CORS_ORIGINS"],
        format!("https://jobi.example,{origins}")
    );
    let list: Vec<String> = serde_json::from_str(&env["TRUSTED_ORIGINS"]).unwrap();
    assert_eq!(list.join(","), env["CORS_ORIGINS"]);
    // The frontend has no such file.
    let frontend = &wiring.services["frontend"].env;
    assert_eq!(frontend["FRONTEND_URL"], "http://localhost:5180");
}

#[test]
fn a_users_value_for_another_machine_is_not_replaced() {
    let wiring = wire_mapped(&[
        ("FRONTEND_URL", "https://jobi.example"),
        ("CORS_ORIGINS", "*"),
        ("PORTWAY_ID", "1"),
    ]);
    let env = &wiring.services["backend"].env;
    assert!(!env.contains_key("FRONTEND_URL"));
    assert_eq!(env["FRONTEND_PORT"], "5180");
    assert!(!env.contains_key("CORS_ORIGINS"));
    assert_eq!(env["PORTWAY_ID"], "0123456789abcdef");
}

#[test]
fn an_application_that_reads_origins_as_json_gets_json() {
    let wiring = wire_mapped(&[("CORS_ORIGINS", "[\"*\"]")]);
    assert!(!wiring.services["backend"].env.contains_key("CORS_ORIGINS"));
    let wiring = wire_mapped(&[("CORS_ORIGINS", "[]")]);
    let env = &wiring.services["backend"].env;
    let list: Vec<String> = serde_json::from_str(&env["CORS_ORIGINS"]).unwrap();
    assert_eq!(list.join(","), wiring.shared["CORS_ORIGINS"]);
}

#[test]
fn mapped_lists_contain_pages_on_the_local_network() {
    let mut wiring = wire_mapped(&[("TRUSTED_ORIGINS", "[\"https://jobi.example\"]")]);
    let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), JOBI).unwrap();
    let plan = Plan::new(&manifest, &[]).unwrap();
    let ports = TWO.map(|(name, ports)| (name.to_owned(), ports.to_vec()));
    let ports = AssignedPorts(IndexMap::from(ports));
    wiring.publish_on_lan(&plan, &ports, &["frontend".to_owned()], &[], "jobi.local");
    let list = &wiring.services["backend"].env["TRUSTED_ORIGINS"];
    let list: Vec<String> = serde_json::from_str(list).unwrap();
    assert_eq!(list.last().unwrap(), "http://jobi.local:5180");
}

#[test]
fn origins_are_those_of_every_service_that_serves_pages() {
    let manifest = "[services.web]\nkind = 'http'\nport = 4810\ncommand = 'node web.js'\n\
         [services.backend]\nport = 4710\ncommand = 'node server.js'";
    let ports = [("backend", &[4711][..]), ("web", &[4811])];
    let origins = wire(manifest, &[], &ports).shared["CORS_ORIGINS"].clone();
    assert!(origins.contains("http://localhost:4811,"), "{origins}");
    assert!(!origins.contains(":4711"), "{origins}");
}

#[test]
fn a_list_has_each_origin_once_and_those_of_the_services_that_it_names() {
    let wiring = wire_mapped(&[(
        "ALLOWED_ORIGINS",
        "http://localhost:3000,https://jobi.example,http://localhost:9000/,http://127.0.0.1:9000",
    )]);
    let list = wiring.services["backend"].env["ALLOWED_ORIGINS"].clone();
    let list: Vec<&str> = list.split(',').collect();
    let port = wiring.shared["BACKEND_PORT"].as_str();
    for expected in [
        "http://localhost:3000",
        "https://jobi.example",
        "http://localhost:5180",
        &format!("http://127.0.0.1:{port}"),
    ] {
        let count = list.iter().filter(|one| **one == expected).count();
        assert_eq!(count, 1, "{expected} in {list:?}");
    }
}
