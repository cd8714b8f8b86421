//! Environment variables that Kubernetes sets in every container for each service it knows, and Docker for each
//! linked container: those of a service `kaiwa-metrics` start with our prefix.

/// The protocols of a service's port.
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// The parts of a port besides its whole address; the last four are set by Docker for a range of ports.
const PARTS: [&str; 7] = ["_ADDR", "_PORT", "_PROTO", "_PORT_START", "_PORT_END", "_START", "_END"];

/// Whether Kubernetes or Docker, and not a person, set this variable, for a service of any name.
///
/// Of the names they generate, a person could also use `…_PORT` and `…_NAME`. The generated values differ: an
/// address rather than a number, and the path of a link such as `/web/kaiwa`. Check first that the name is not
/// one of our keys.
pub fn is_service_link(name: &str, text: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || is_of_port(name)
        || (name.ends_with("_PORT") && text.contains("://"))
        || (name.ends_with("_NAME") && text.starts_with('/'))
        || name.contains("_ENV_")
}

/// `…_PORT_9464_TCP`, `…_PORT_9464_TCP_ADDR` and so on.
fn is_of_port(name: &str) -> bool {
    let whole = PARTS.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
    let port = whole.rsplit_once('_').filter(|(_, protocol)| PROTOCOLS.contains(protocol));
    let number = port.and_then(|(before, _)| before.rsplit_once("_PORT_"));
    number.is_some_and(|(_, number)| number.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use crate::config::key::{self, KEYS};

    use super::*;

    const SERVICES: [&str; 5] =
        ["KAIWA", "KAIWA_METRICS", "KAIWA_DELIVERY__WAIT", "KAIWA_PORT_80", "KAIWA_SERVICE_HOST"];

    #[test]
    fn variables_that_kubernetes_and_docker_set_for_a_service_are_recognized() {
        for service in SERVICES {
            for (end, text) in [
                ("_SERVICE_HOST", "10.0.0.7"),
                ("_SERVICE_PORT", "9464"),
                ("_SERVICE_PORT_HTTP_METRICS", "9464"),
                ("_PORT", "tcp://10.0.0.7:9464"),
                ("_PORT", "udp://[fd00::7]:53"),
                ("_PORT_9464_TCP", "tcp://10.0.0.7:9464"),
                ("_PORT_9464_TCP_ADDR", "10.0.0.7"),
                ("_PORT_9464_TCP_PORT", "9464"),
                ("_PORT_9464_TCP_PROTO", "tcp"),
                ("_PORT_53_UDP", "udp://10.0.0.7:53"),
                ("_PORT_53_UDP_ADDR", "10.0.0.7"),
                ("_PORT_3868_SCTP_PROTO", "sctp"),
                ("_PORT_8000_TCP_PORT_START", "8000"),
                ("_PORT_8000_TCP_END", "tcp://172.17.0.5:8005"),
                ("_NAME", "/web/kaiwa"),
                ("_ENV_PATH", "/usr/bin"),
                ("_ENV_KAIWA_LISTEN", "0.0.0.0:80"),
            ] {
                assert!(is_service_link(&format!("{service}{end}"), text), "{service}{end}");
            }
        }
    }

    #[test]
    fn neither_settings_nor_misspelled_ones_are_mistaken_for_service_links() {
        for key in KEYS.iter().filter(|key| key.is_single()) {
            for text in ["tcp://10.0.0.7:80", "/web/kaiwa"] {
                assert!(!is_service_link(&key::variable(key.name), text), "{}", key.name);
            }
        }
        for (name, text) in [
            ("KAIWA_PORT", "8080"),
            ("KAIWA_LISTEN_PORT", "8080"),
            ("KAIWA_METRICS__PORT", "9464"),
            ("KAIWA_PORT_TCP", "8080"),
            ("KAIWA_PORT_HTTP_TCP", "8080"),
            ("KAIWA_PORT_80_HTTP", "80"),
            ("KAIWA_PORT_99999_TCP", "80"),
            ("KAIWA_SERVICE", "x"),
            ("KAIWA_HOST", "10.0.0.7"),
            ("KAIWA_NAME", "shop"),
            ("KAIWA_ENV", "production"),
            ("KAIWA_ENVIRONMENT_NAME", "production"),
            ("KAIWA_LISTN", "tcp://10.0.0.7:80"),
        ] {
            assert!(!is_service_link(name, text), "{name}");
        }
    }
}
