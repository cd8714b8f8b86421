//! Tokens not signed with the server's key, or not what they seem: none is accepted (RFC 8725).

use awc::http::Method;
use aws_lc_rs::hmac::{self, Algorithm, Key};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{KEY, TestServer};

/// Far enough in the future for any run.
const LATER: i64 = 4_102_444_800;

/// Headers that name no algorithm, another one, or a key chosen by the sender.
const HEADERS: [&str; 15] = [
    r#"{"alg":"none"}"#,
    r#"{"alg":"None"}"#,
    r#"{"alg":"nOnE"}"#,
    r#"{"alg":""}"#,
    r#"{"alg":null}"#,
    r#"{"typ":"JWT"}"#,
    r#"{"alg":"hs256"}"#,
    r#"{"alg":"HS384"}"#,
    r#"{"alg":"HS512"}"#,
    r#"{"alg":"RS256"}"#,
    r#"{"alg":"PS256"}"#,
    r#"{"alg":"ES256"}"#,
    r#"{"alg":"EdDSA"}"#,
    r#"{"alg":["HS256"]}"#,
    r#"["HS256"]"#,
];

/// Claims that are correctly signed but not acceptable. `CUSTOMER` stands for the right claim.
const CLAIMS: [&str; 20] = [
    r#"{"customer":CUSTOMER}"#,
    r#"{"customer":CUSTOMER,"exp":1}"#,
    r#"{"customer":CUSTOMER,"exp":0}"#,
    r#"{"customer":CUSTOMER,"exp":-1}"#,
    r#"{"customer":CUSTOMER,"exp":null}"#,
    r#"{"customer":CUSTOMER,"exp":"4102444800"}"#,
    r#"{"customer":CUSTOMER,"exp":[4102444800]}"#,
    r#"{"customer":CUSTOMER,"exp":true}"#,
    r#"{"customer":CUSTOMER,"exp":4102444800,"nbf":4102444799}"#,
    r#"{"customer":CUSTOMER,"exp":4102444800,"nbf":"later"}"#,
    r#"{"customer":CUSTOMER,"customer":CUSTOMER,"exp":4102444800}"#,
    r#"{"customer":CUSTOMER,"exp":1,"exp":4102444800}"#,
    r#"{"exp":4102444800}"#,
    r#"{"customer":null,"exp":4102444800}"#,
    r#"{"customer":"","exp":4102444800}"#,
    r#"{"customer":"{}","exp":4102444800}"#,
    r#"{"customer":"{\"id\":\"*\"}","exp":4102444800}"#,
    r#"{"customer":["a"],"exp":4102444800}"#,
    r#"["CUSTOMER"]"#,
    "not json",
];

struct Forger {
    customer: String,
}

impl Forger {
    /// The claim of the customer whose data is requested.
    fn claim(&self) -> Value {
        json!(json!({ "id": self.customer }).to_string())
    }

    fn claims(&self) -> String {
        json!({ "customer": self.claim(), "exp": LATER }).to_string()
    }

    fn right(&self) -> String {
        signed(r#"{"alg":"HS256"}"#, &self.claims(), KEY, hmac::HMAC_SHA256)
    }

    /// Every forged token, with its flaw.
    fn forgeries(&self) -> Vec<(String, String)> {
        let mut forged = Vec::new();
        for header in HEADERS {
            let token = signed(header, &self.claims(), KEY, hmac::HMAC_SHA256);
            forged.push((format!("header {header}"), token.clone()));
            forged.push((format!("header {header}, no signature"), without_signature(&token)));
        }
        for claims in CLAIMS {
            let claims = claims.replace("CUSTOMER", &self.claim().to_string());
            let token = signed(r#"{"alg":"HS256"}"#, &claims, KEY, hmac::HMAC_SHA256);
            forged.push((format!("claims {claims}"), token));
        }
        forged.extend(self.other_keys());
        forged.extend(self.other_shapes());
        forged
    }

    fn other_keys(&self) -> Vec<(String, String)> {
        let header = r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"http://127.0.0.1/","kid":"../../dev/null"}"#;
        let keys = ["another key of at least thirty-two bytes", "\0", &KEY[1..], &KEY.to_uppercase()];
        let by_key = keys.map(|key| {
            (format!("signed with {key:?}"), signed(header, &self.claims(), key, hmac::HMAC_SHA256))
        });
        let by_hash = [("384", hmac::HMAC_SHA384), ("512", hmac::HMAC_SHA512)].map(|(bits, algorithm)| {
            let header = format!(r#"{{"alg":"HS{bits}"}}"#);
            (format!("the right key, HS{bits}"), signed(&header, &self.claims(), KEY, algorithm))
        });
        by_key.into_iter().chain(by_hash).collect()
    }

    fn other_shapes(&self) -> Vec<(String, String)> {
        let right = self.right();
        let parts: Vec<&str> = right.split('.').collect();
        let (header, claims, signature) = (parts[0], parts[1], parts[2]);
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let foreign = URL_SAFE_NO_PAD
            .encode(json!({ "customer": json!({ "id": "other" }).to_string(), "exp": LATER }).to_string());
        let shapes = [
            ("two parts", format!("{header}.{claims}")),
            ("one part", header.to_owned()),
            ("four parts", format!("{right}.{signature}")),
            ("a signature cut short", format!("{header}.{claims}.{}", &signature[..signature.len() - 2])),
            ("a padded signature", format!("{header}.{claims}.{}", URL_SAFE.encode(&bytes))),
            ("a signature in hex", format!("{header}.{claims}.{}", "00".repeat(32))),
            ("the other base64", format!("{header}.{claims}.{}", STANDARD.encode(&bytes))),
            ("a signature of nothing", format!("{header}.{claims}.{}", "A".repeat(43))),
            ("other claims under the same signature", format!("{header}.{foreign}.{signature}")),
            ("something behind it", format!("{right}x")),
            ("a doubled dot", right.replacen('.', "..", 1)),
            ("far too long", format!("{header}.{}.{signature}", "A".repeat(60_000))),
        ];
        shapes.into_iter().map(|(name, token)| (name.to_owned(), token)).collect()
    }
}

fn signed(header: &str, claims: &str, key: &str, algorithm: Algorithm) -> String {
    let content = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = hmac::sign(&Key::new(algorithm, key.as_bytes()), content.as_bytes());
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn without_signature(token: &str) -> String {
    format!("{}.", token.rsplit_once('.').unwrap().0)
}

#[actix_web::test]
async fn no_forged_token_is_accepted_anywhere() {
    let server = TestServer::start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let path = format!("/v1.0/conversations/{conversation}");
    let forger = Forger { customer: server.customer.to_string() };
    let right = server.anonymous(Method::GET, &path).bearer_auth(forger.right());
    assert_eq!(Response::to(right, "").await.status, 200, "the forger knows how it is done rightly");

    let forgeries = forger.forgeries();

    assert!(forgeries.len() >= 60, "only {} forgeries", forgeries.len());
    for (what, token) in forgeries {
        let places = [
            server.anonymous(Method::GET, &path).bearer_auth(&token),
            server.anonymous(Method::GET, &format!("{path}?token={token}")),
            server.anonymous(Method::GET, &path).insert_header(("Cookie", format!("token={token}"))),
        ];
        for (place, request) in ["header", "query", "cookie"].iter().zip(places) {
            let response = Response::to(request, "").await;
            // A header that is too long is rejected before it is parsed.
            let is_refused = response.status == 401 || token.len() > 16_384 && response.status == 400;
            assert!(is_refused, "{what} in the {place}: {response:?}");
            assert!(!response.text.contains(&conversation), "{what} in the {place}: {response:?}");
        }
    }
}
