//! The command line's messages to people, and its behavior when nobody reads them.

use std::process::Stdio;

use serde_json::Value;

use crate::command::program::{KEY, check_refused, kaiwa, succeed};

#[test]
fn the_configuration_in_the_current_folder_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, file) = (folder.path(), folder.path().join("kaiwa.toml"));
    let without_key = |arguments: &[&str]| {
        let mut command = kaiwa(folder, arguments);
        command.env_remove("KAIWA_AUTH__JWT_KEY");
        command
    };

    check_refused(without_key(&["serve"]), 78, "a key of at least 32 bytes (characters) is needed");
    check_refused(without_key(&["serve"]), 78, "`--config` was not given, and there is no ./kaiwa.toml");
    let declared = "[[customers]]\nid = \"5e4a0680-804e-11ec-8477-2fea5968d85b\"\nname = \"Example Ltd\"\n";
    std::fs::write(&file, declared).unwrap();
    check_refused(kaiwa(folder, &["token", "--customer", "nobody"]), 78, "`kaiwa migrate`");
    check_refused(without_key(&["serve"]), 78, "the configuration was read from kaiwa.toml");
    std::fs::write(&file, format!("auth.jwt_key = \"{KEY}\"\n{declared}")).unwrap();

    let token = without_key(&["token", "--customer", "Example Ltd", "--json"]).output().unwrap();
    let token: Value = serde_json::from_slice(&token.stdout).unwrap();
    assert_eq!(token["customer_id"], "5e4a0680-804e-11ec-8477-2fea5968d85b", "before the first start");
    assert!(!folder.join("kaiwa-data").exists(), "nothing is made for it");
    std::fs::write(&file, "workers = 0").unwrap();
    check_refused(without_key(&["migrate"]), 78, "kaiwa.toml:1:11");
    std::fs::write(folder.join("other.toml"), "").unwrap();
    succeed(folder, &["migrate", "--config", "other.toml"]);
}

#[test]
fn an_unrelated_configuration_in_the_folder_stops_no_command_with_an_explicit_target() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, file) = (folder.path(), folder.path().join("kaiwa.toml"));
    std::fs::write(&file, "data_directory = \"here\"\ndatabase_file = \"chats.db\"\n").unwrap();
    succeed(folder, &["migrate"]);
    succeed(folder, &["backup", "backup.tar"]);
    succeed(folder, &["verify", "here"]);
    succeed(folder, &["restore", "backup.tar", "--data", "there"]);
    assert!(folder.join("here/chats.db").exists() && folder.join("there/chats.db").exists());

    std::fs::write(&file, "workers = 0").unwrap();
    for arguments in [&["verify", "backup.tar"][..], &["restore", "backup.tar", "--data", "anew"]] {
        let output = kaiwa(folder, arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.contains("ignoring ./kaiwa.toml"), "{errors}");
        check_refused(
            kaiwa(folder, &[arguments, &["--config", "kaiwa.toml"]].concat()),
            78,
            "kaiwa.toml:1:11",
        );
    }

    succeed(folder, &["verify", "anew"]);
    check_refused(kaiwa(folder, &["backup", "second.tar"]), 78, "kaiwa.toml:1:11");
    let mut given_wrongly = kaiwa(folder, &["verify", "backup.tar"]);
    given_wrongly.env("KAIWA_WORKERS", "0");
    check_refused(given_wrongly, 78, "KAIWA_WORKERS");
}

#[test]
fn an_unknown_customer_is_rejected_with_a_list_of_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeed(folder, &["migrate"]);

    check_refused(kaiwa(folder, &["token", "--customer", "shop"]), 1, "there is none yet");
    for name in ["first", "second"] {
        succeed(folder, &["customer", "add", "--name", name]);
    }

    let nobody = "01a20644-f95c-7717-97b7-0888b5389fe6";
    for arguments in [
        &["token", "--customer", "shop"][..],
        &["token", "--customer", nobody],
        &["webhooks", "list", "--customer", "shop"],
        &["webhooks", "secret", "--customer", "shop"],
        &["webhooks", "rotate", "--customer", "shop"],
    ] {
        check_refused(kaiwa(folder, arguments), 1, "no such customer");
        check_refused(kaiwa(folder, arguments), 1, "\"first\", ");
    }
}

#[test]
fn an_empty_list_says_so_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeed(folder, &["migrate"]);

    assert_eq!(succeed(folder, &["customer", "list"]), "there is no customer yet\n");
    assert_eq!(succeed(folder, &["account", "list"]), "there is no account yet\n");
    succeed(folder, &["customer", "add", "--name", "shop"]);
    let list = ["webhooks", "list", "--customer", "shop"];
    assert!(succeed(folder, &list).starts_with("there is no delivery to this customer yet"));
    assert!(succeed(folder, &[&list[..], &["--state", "failed"]].concat()).starts_with("there is no"));
    assert_eq!(succeed(folder, &[&list[..], &["--json"]].concat()), "");
}

#[test]
fn a_missing_choice_is_rejected_with_the_options() {
    let folder = tempfile::tempdir().unwrap();

    for (arguments, options) in [
        (&["erase"][..], ["--conversation <ID>", "--user <LINE_ID>"]),
        (
            &["account", "add", "--customer", "a", "--secret-file", "b"],
            ["--token-file <FILE>", "--channel-id <ID>"],
        ),
    ] {
        for option in options {
            check_refused(kaiwa(folder.path(), arguments), 2, option);
        }
    }
}

#[test]
fn a_name_can_begin_with_a_dash() {
    let folder = tempfile::tempdir().unwrap();
    let add = ["customer", "add", "--name", "-5 degrees", "--detail", "--cold", "--json"];

    let customer: Value = serde_json::from_str(&succeed(folder.path(), &add)).unwrap();

    assert_eq!((&customer["name"], &customer["detail"]), (&"-5 degrees".into(), &"--cold".into()));
    let token = succeed(folder.path(), &["token", "--customer", "-5 degrees", "--json"]);
    assert!(token.contains(customer["id"].as_str().unwrap()), "{token}");
}

#[test]
fn a_command_ends_quietly_when_its_output_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let customer = succeed(folder, &["customer", "add", "--name", "shop"]);
    assert!(customer.contains("shop"));
    let nobody = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };

    for (arguments, code) in [
        (&["customer", "list"][..], 141),
        (&["customer", "add", "--name", "late", "--json"], 141),
        (&["token", "--customer", "shop"], 141),
        (&["doctor"], 141),
        (&["doctor", "--json"], 141),
        (&["migrate"], 141),
        (&["version", "--json"], 141),
        (&["help"], 0),
        (&["token", "--help"], 0),
        (&["--version"], 0),
    ] {
        let output = kaiwa(folder, arguments).stdout(nobody()).output().unwrap();

        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
    for (arguments, code) in
        [(&["token", "--customer", "nobody"][..], 1), (&["serv"], 2), (&["verify", "x"], 78)]
    {
        let status = kaiwa(folder, arguments).stdout(nobody()).stderr(nobody()).status().unwrap();

        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}
