//! Alice's laptop knows her finger: from afar that takes the place of a code. A copy of what it once answered opens nothing, nor
//! does what it answered to somebody else's page.

use crate::browser::script;
use crate::remote_access::Phone;
use crate::support::world::{MAILKEEP, PASSPHRASE};
use crate::support::{Request, World, wait_for};

const HOST: &str = "mail.alice.test";
const AFAR: &[&str] = &["--remote-listen", "127.0.0.1:0", "--remote-host", HOST];

#[test]
fn a_passkey_takes_the_place_of_a_code() {
    let world = World::new();
    world.ok(&["config", "set", "tor.mode", "off"]);
    let phone = Phone::set_up(&world);
    let server = world.serve_with(AFAR);
    let line = format!("Mailkeep answers for https://{HOST}/ at ");
    let port = server.said().iter().find_map(|said| said.strip_prefix(&line)).unwrap().to_owned();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec![HOST.to_owned(), format!("evil.{HOST}")];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let mut variables = vec![
        ("CERT", world.file("cert.pem", certificate.pem())),
        ("KEY", world.file("key.pem", key.serialize_pem())),
        ("REMOTE_PORT", port.rsplit(':').next().unwrap().to_owned()),
        ("PASSPHRASE", PASSPHRASE.to_owned()),
        ("PASSPHRASE_FILE", path("passphrase")),
        ("SPARE", phone.spare.join(" ")),
        ("PROFILE", path("profile")),
        ("MAILKEEP", MAILKEEP.to_owned()),
        ("DATA", world.data().to_str().unwrap().to_owned()),
    ];
    if let Ok(shots) = std::env::var("MAILKEEP_SHOTS") {
        variables.push(("SHOTS", shots));
    }
    script("passkeys.mjs", &variables);

    // What is left of it is listed, named and removed like everything else.
    let listed = world.ok(&["remote", "passkey", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["site"]), (&"Phone".into(), &HOST.into()));
    assert!(listed[0]["last_used"].is_string() && listed.as_array().unwrap().len() == 1, "{listed}");
    assert_eq!(world.ok(&["remote", "passkey", "name", "Phone", "Tablet"])["name"], "Tablet");
    world.fails(4, &["remote", "passkey", "name", "Phone", "Watch"]);
    world.fails(2, &["remote", "passkey", "name", "Tablet", ""]);
    let token =
        world.ok(&["token", "create", "admin", "--scope", "admin"])["token"].as_str().unwrap().to_owned();
    let api = |method: &str, name: &str| {
        server.request(method, &format!("/api/v1/remote/passkeys{name}")).bearer(&token)
    };
    assert_eq!(api("GET", "").send().json()[0]["name"], "Tablet");
    let named = api("PUT", "/Tablet").json(&serde_json::json!({"name": "Ring"})).send();
    assert_eq!((named.status, named.json()["name"].clone()), (200, "Ring".into()));
    assert_eq!(api("DELETE", "/Tablet").send().status, 404);
    // A session that was begun with it ends with it, at home as well.
    assert!(!world.ok(&["remote", "session", "list"]).as_array().unwrap().is_empty());
    assert_eq!(api("DELETE", "/Ring").send().status, 200);
    assert!(world.ok(&["remote", "passkey", "list"]).as_array().unwrap().is_empty());

    // Whoever is held up is not asked either, and what is asked is never asked of home.
    let afar = |path: &str, fields: &[(String, String)]| {
        let request = Request::new(&port, "POST", path).host(HOST).origin(&format!("https://{HOST}"));
        request.form(fields).send()
    };
    let door = Request::new(&port, "GET", "/unlock").host(HOST).send();
    let csrf = door.form_with("passphrase").fields.into_iter().filter(|(name, _)| name == "csrf");
    let csrf: Vec<_> = csrf.collect();
    assert_eq!(afar("/unlock/passkey", &[]).status, 403);
    let asked = afar("/unlock/passkey", &csrf).json();
    assert_eq!(asked["options"]["publicKey"]["allowCredentials"].as_array().unwrap().len(), 0);
    let typed =
        [("passphrase", "a guess"), ("ceremony", asked["ceremony"].as_str().unwrap()), ("passkey", "{}")];
    let mut fields = csrf.clone();
    fields.extend(typed.map(|(k, v)| (k.to_owned(), v.to_owned())));
    // Each try costs time itself: on a slow machine some waiting is over before the next one.
    let held_up = wait_for("whoever guesses is held up", || {
        let asked = afar("/unlock/passkey", &csrf);
        if asked.status != 429 {
            afar("/unlock", &fields);
        }
        (asked.status == 429).then_some(asked)
    });
    assert!(held_up.json()["words"].as_str().unwrap().starts_with("Wait "));
    let home = server.sign_in();
    let asked = server.request("POST", "/unlock/passkey").cookie(&home).origin(&server.origin()).form(&csrf);
    assert_eq!(asked.send().status, 404);
    let page = server.request("GET", "/settings/remote").cookie(&home).send();
    assert!(page.text().contains("belongs to the name under which it is made"));
}
