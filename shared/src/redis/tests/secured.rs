use std::net::{IpAddr, Ipv4Addr};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tempfile::TempDir;

use super::*;

/// An authority, with files of a server and of a client below it.
struct Pki(TempDir);

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Another name than the leaves', which OpenSSL would take for self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pki = Self(tempfile::tempdir().unwrap());
        pki.write("ca.crt", &authority.pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params
                .subject_alt_names
                .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            let certificate = params.signed_by(&key, &authority).unwrap();
            pki.write(&format!("{name}.crt"), &certificate.pem());
            pki.write(&format!("{name}.key"), &key.serialize_pem());
        }
        pki
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn server(&self, test: &str, clients: &str) -> Option<RedisServer> {
        let folder = self.0.path().display();
        RedisServer::start_or_skip(
            test,
            &format!(
                "port 0\ntls-port {{port}}\ntls-cert-file {folder}/server.crt\ntls-key-file {folder}/server.key\n\
                 tls-ca-cert-file {folder}/ca.crt\ntls-auth-clients {clients}"
            ),
        )
    }

    fn settings(&self, server: &RedisServer) -> RedisSettings {
        RedisSettings {
            ca: Some(self.path("ca.crt")),
            ..RedisSettings::at(&server.url().replace("redis://", "rediss://"))
        }
    }
}

#[tokio::test]
async fn the_server_shows_a_certificate_of_the_authority() {
    let pki = Pki::new();
    let Some(server) = pki.server("redis: TLS", "no") else {
        return;
    };
    let settings = pki.settings(&server);
    ping(&mut connect(&settings).await.unwrap()).await.unwrap();
    let by_name = RedisSettings {
        url: Some(secret(&format!("rediss://localhost:{}", server.port()))),
        ..settings.clone()
    };
    ping(&mut connect(&by_name).await.unwrap()).await.unwrap();

    let wrong_authority = Pki::new();
    let public_web = None;
    for ca in [Some(wrong_authority.path("ca.crt")), public_web] {
        let settings = RedisSettings {
            ca,
            ..settings.clone()
        };
        let error = connect(&settings).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
    let mut plain = connect(&RedisSettings::at(&server.url())).await.unwrap();
    ping(&mut plain).await.unwrap_err();
}

#[tokio::test]
async fn the_client_shows_its_own_where_it_is_asked_for() {
    let pki = Pki::new();
    let Some(server) = pki.server("redis: client certificates", "yes") else {
        return;
    };
    let without = pki.settings(&server);
    let answer = async {
        let mut connection = connect(&without).await?;
        // In TLS 1.3 the server's refusal comes after the handshake.
        ping(&mut connection)
            .await
            .map_err(|source| RedisError::Unreachable {
                servers: String::new(),
                source,
            })
    };
    answer.await.unwrap_err();

    let with = RedisSettings {
        client_certificate: Some(pki.path("client.crt")),
        client_key: Some(pki.path("client.key")),
        ..without
    };
    let client = RedisClient::open(&with).unwrap();
    ping(&mut client.connect(OPTIONS).await.unwrap()).await.unwrap();

    // Renewed files are taken up by the next connection; broken ones are told of.
    pki.write("client.key", "no key");
    let error = client.connect(OPTIONS).await.unwrap_err();
    assert!(error.to_string().contains("client.key"), "{error}");
    assert!(matches!(RedisClient::open(&with), Err(RedisError::Tls(_))));
}
