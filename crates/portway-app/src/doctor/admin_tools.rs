//! Recognizes tools that a person opens in a browser and that no page of a frontend calls.

use portway_project::PlannedService;

/// Names of tools, as services, images and programs have them.
const TOOLS: [&str; 34] = [
    "adminer",
    "bull-board",
    "cloudbeaver",
    "dozzle",
    "dynamodb-admin",
    "elasticvue",
    "flower",
    "grafana",
    "inbucket",
    "jaeger",
    "kafdrop",
    "kafka-ui",
    "kibana",
    "mailcatcher",
    "maildev",
    "mailhog",
    "mailpit",
    "mongo-express",
    "opensearch-dashboards",
    "pgadmin",
    "pgadmin4",
    "pgweb",
    "phpmyadmin",
    "phppgadmin",
    "portainer",
    "prisma-studio",
    "prometheus",
    "redis-commander",
    "redisinsight",
    "storybook",
    "swagger-ui",
    "temporal-ui",
    "traefik",
    "zipkin",
];

/// Returns whether the name or the command of a service names such a tool.
pub(super) fn is_admin_tool(service: &PlannedService) -> bool {
    has_tool(&service.name) || has_tool(&service.command)
}

fn has_tool(text: &str) -> bool {
    let is_part_of_word = |character: char| character.is_ascii_alphanumeric() || character == '-';
    text.to_ascii_lowercase()
        .split(|character| !is_part_of_word(character))
        .any(|word| TOOLS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_tools_by_whole_words() {
        for text in [
            "adminer",
            "docker compose run --rm -p {host}:{port}:8080 adminer",
            "dpage/pgadmin4:8",
            "npx prisma-studio --port {port}",
            "celery -A app flower",
        ] {
            assert!(has_tool(text), "{text}");
        }
        for text in ["api", "admin", "node sunflower.js", "my-grafana-api"] {
            assert!(!has_tool(text), "{text}");
        }
    }
}
