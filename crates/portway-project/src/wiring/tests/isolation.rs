use super::*;
use crate::mapping::{MappedValue, MappedVariable, Part};

#[test]
fn in_its_own_network_a_service_binds_its_inner_port_and_urls_have_the_ports_of_the_host() {
    let text = r#"
        [services.api]
        command = "serve -b {host}:{port} --base http://localhost:{port}/ --cache {db.port}"
        port = { range = "9000-9099", usual = 8000 }
        env = { SELF = "{url}", BIND = ":{port}", WEB = "{web.port}" }
        [services.web]
        command = "vite --port {port}"
        port = 5173
        [services.db]
        command = "docker run -p {port}:5432 postgres"
        port = 5432
    "#;
    let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), text).unwrap();
    let plan = Plan::new(&manifest, &[]).unwrap();
    let ports = [("api", 9004), ("web", 5174), ("db", 5433)];
    let ports = ports.map(|(name, port)| (name.to_owned(), vec![port]));
    let ports = AssignedPorts(IndexMap::from(ports));
    let checkout = Checkout {
        root: "/jobi".into(),
        id: "0123456789abcdef".into(),
        git: None,
    };
    let inner = plan.inner_ports();
    let endpoint = |name: &str| Part::Port {
        service: name.into(),
        name: None,
    };
    let variable = |name: &str, parts: Vec<Part>| MappedVariable {
        name: name.into(),
        value: MappedValue { parts },
        place: Place {
            file: ".env".into(),
            line: 1,
        },
        meaning: Vec::new(),
    };
    let mapping = Mapping {
        variables: vec![
            variable("LISTEN", vec![endpoint("api")]),
            variable(
                "SITE",
                vec![Part::Literal("http://localhost:".into()), endpoint("api")],
            ),
            variable("DB_PORT", vec![endpoint("db")]),
        ],
        ..Mapping::default()
    };
    let wiring = Wiring::new(
        &plan,
        &ports,
        &checkout,
        &WiringInput {
            instance: "jobi",
            env_files: &IndexMap::new(),
            mappings: &IndexMap::from([("api".to_owned(), mapping)]),
            trust: &IndexMap::new(),
            gateway: None,
            inner: Some(&inner),
        },
    );
    let api = &wiring.services["api"];
    assert_eq!(
        api.command,
        "serve -b 127.0.0.1:8000 --base http://localhost:9004/ --cache 5433"
    );
    let variables = [
        ("PORT", "8000"),
        ("API_PORT", "8000"),
        ("API_URL", "http://localhost:9004"),
        ("WEB_PORT", "5174"),
        ("SELF", "http://localhost:9004"),
        ("BIND", ":8000"),
        ("WEB", "5174"),
        ("LISTEN", "8000"),
        ("SITE", "http://localhost:9004"),
        ("DB_PORT", "5433"),
    ];
    for (name, value) in variables {
        assert_eq!(api.env[name], value, "{name}");
    }
    assert_eq!(wiring.shared["API_PORT"], "9004");
    assert_eq!(wiring.services["web"].command, "vite --port 5173");
    let db = &wiring.services["db"];
    assert_eq!(db.command, "docker run -p 5433:5432 postgres");
    assert_eq!(db.env["PORT"], "5433");
    assert_eq!(wiring.ports_json["api_port"], 9004);
}
