//! Known container images, one line each.

use portway_project::kind::Kind;

/// A known image.
pub(super) struct Image {
    /// The last components of its name, without a tag.
    names: &'static [&'static str],
    /// The framework name that its services get.
    pub(super) framework: &'static str,
    pub(super) kind: Kind,
    /// Its main port in the container.
    pub(super) port: u16,
    /// Readiness command that runs in the container. A published port proves nothing: the engine
    /// listens on it as soon as the container starts.
    pub(super) ready: Option<&'static str>,
}

#[rustfmt::skip]
pub(super) const IMAGES: [Image; 38] = [
    data("postgres", &["postgres", "postgresql", "postgis", "pgvector", "timescaledb"], Kind::Postgres, 5432, "pg_isready -q -h 127.0.0.1"),
    data("redis", &["redis", "redis-stack", "redis-stack-server"], Kind::Redis, 6379, "redis-cli ping"),
    data("valkey", &["valkey"], Kind::Redis, 6379, "valkey-cli ping"),
    plain("keydb", &["keydb", "dragonfly"], Kind::Redis, 6379),
    data("mysql", &["mysql", "percona"], Kind::Mysql, 3306, "mysqladmin ping -h 127.0.0.1"),
    data("mariadb", &["mariadb"], Kind::Mysql, 3306, "healthcheck.sh --connect"),
    data("mongodb", &["mongo", "mongodb", "mongodb-community-server"], Kind::Mongodb, 27017, "mongosh --quiet --eval 1"),
    data("rabbitmq", &["rabbitmq"], Kind::Amqp, 5672, "rabbitmq-diagnostics -q check_port_connectivity"),
    plain("nats", &["nats"], Kind::Nats, 4222),
    plain("memcached", &["memcached"], Kind::Memcached, 11211),
    plain("elasticsearch", &["elasticsearch"], Kind::Http, 9200),
    plain("opensearch", &["opensearch"], Kind::Http, 9200),
    plain("meilisearch", &["meilisearch"], Kind::Http, 7700),
    plain("typesense", &["typesense"], Kind::Http, 8108),
    plain("clickhouse", &["clickhouse", "clickhouse-server"], Kind::Http, 8123),
    plain("qdrant", &["qdrant"], Kind::Http, 6333),
    plain("minio", &["minio"], Kind::Http, 9000),
    plain("localstack", &["localstack"], Kind::Http, 4566),
    plain("mailpit", &["mailpit", "mailhog"], Kind::Http, 8025),
    plain("mailcatcher", &["mailcatcher"], Kind::Http, 1080),
    plain("keycloak", &["keycloak"], Kind::Http, 8080),
    plain("kafka", &["kafka", "cp-kafka", "redpanda"], Kind::Tcp, 9092),
    plain("zookeeper", &["zookeeper", "cp-zookeeper"], Kind::Tcp, 2181),
    plain("grafana", &["grafana"], Kind::Http, 3000),
    plain("jaeger", &["jaeger", "all-in-one"], Kind::Http, 16686),
    plain("browserless", &["chrome", "chromium", "browserless"], Kind::Http, 3000),
    plain("gotenberg", &["gotenberg"], Kind::Http, 3000),
    plain("imgproxy", &["imgproxy"], Kind::Http, 8080),
    plain("maildev", &["maildev"], Kind::Http, 1080),
    plain("inbucket", &["inbucket"], Kind::Http, 9000),
    plain("soketi", &["soketi"], Kind::Http, 6001),
    plain("dynamodb", &["dynamodb-local"], Kind::Http, 8000),
    plain("azurite", &["azurite"], Kind::Http, 10000),
    plain("chroma", &["chroma"], Kind::Http, 8000),
    plain("weaviate", &["weaviate"], Kind::Http, 8080),
    plain("neo4j", &["neo4j"], Kind::Tcp, 7687),
    plain("influxdb", &["influxdb"], Kind::Http, 8086),
    plain("cassandra", &["cassandra", "scylla"], Kind::Tcp, 9042),
];

/// Proxies and administration tools, which a development server does not need.
const TOOLS: [&str; 34] = [
    "alertmanager",
    "bull-board",
    "cadvisor",
    "flower",
    "grafana",
    "kafdrop",
    "kafka-ui",
    "loki",
    "node-exporter",
    "prometheus",
    "promtail",
    "adminer",
    "caddy",
    "certbot",
    "cloudflared",
    "dozzle",
    "envoy",
    "haproxy",
    "mongo-express",
    "nginx",
    "nginx-proxy-manager",
    "pgadmin",
    "pgadmin4",
    "phpmyadmin",
    "portainer",
    "portainer-ce",
    "pgweb",
    "adminerevo",
    "mongo-gui",
    "redis-commander",
    "redisinsight",
    "swag",
    "traefik",
    "watchtower",
];

/// Names of additional ports.
const PORT_NAMES: [(u16, &str); 7] = [
    (80, "http"),
    (443, "https"),
    (1025, "smtp"),
    (9001, "console"),
    (9300, "transport"),
    (15672, "management"),
    (8222, "monitor"),
];

/// Container ports that usually serve HTTP.
const HTTP_PORTS: [u16; 10] = [80, 3000, 4000, 5000, 8000, 8080, 8081, 8088, 8888, 9090];

const fn plain(
    framework: &'static str,
    names: &'static [&'static str],
    kind: Kind,
    port: u16,
) -> Image {
    Image {
        names,
        framework,
        kind,
        port,
        ready: None,
    }
}

const fn data(
    framework: &'static str,
    names: &'static [&'static str],
    kind: Kind,
    port: u16,
    ready: &'static str,
) -> Image {
    Image {
        names,
        framework,
        kind,
        port,
        ready: Some(ready),
    }
}

/// Looks up an image by the value of `image:`.
pub(super) fn known(image: &str) -> Option<&'static Image> {
    let name = last_component(image);
    IMAGES.iter().find(|image| image.names.contains(&name))
}

/// Returns whether clients connect to the address that the server advertises, so that a port for the
/// container network is of no use outside it.
pub(super) fn says_where_clients_connect(image: &Image) -> bool {
    image.framework == "kafka"
}

/// Returns the name of a proxy or an administration tool by its image.
pub(super) fn tool(image: &str) -> Option<&'static str> {
    let name = last_component(image);
    TOOLS.into_iter().find(|tool| *tool == name)
}

/// Returns the last component of an image's name, without tag and digest.
pub(super) fn last_component(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or("");
    let name = name.rsplit('/').next().unwrap_or("");
    name.split(':').next().unwrap_or("")
}

/// Guesses the protocol of a port of an unknown image.
pub(super) fn kind_of(container: u16) -> Kind {
    match HTTP_PORTS.contains(&container) {
        true => Kind::Http,
        false => Kind::Tcp,
    }
}

/// A name for an additional port.
pub(super) fn port_name(container: u16) -> String {
    let known = PORT_NAMES.iter().find(|(port, _)| *port == container);
    known.map_or_else(|| format!("p{container}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_images_by_the_last_component_of_the_name() {
        for (image, framework) in [
            ("postgres", Some("postgres")),
            ("postgres:16-alpine", Some("postgres")),
            (
                "registry.local:5000/bitnami/postgresql@sha256:abc",
                Some("postgres"),
            ),
            ("timescale/timescaledb:latest-pg16", Some("postgres")),
            ("mypostgres", None),
            ("", None),
        ] {
            assert_eq!(
                known(image).map(|image| image.framework),
                framework,
                "{image}"
            );
        }
    }
}
