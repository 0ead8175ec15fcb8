use shared::token::ClaimsPolicy;

use super::*;
use crate::policy::Basis;

const RULES: &str = r#"
default = "authenticated"

[[rule]]
path = "/admin/{*rest}"
roles = ["admin"]

[[rule]]
path = "/open"
anonymous = true

[[rule]]
path = "/hosted"
hosts = ["a.org"]
authenticated = true

[[rule]]
path = "/films/{film_id}"
film = "{film_id}"

[[rule]]
path = "/films/{film_id}/cast"
film = "{film_id}"
roles = ["user"]
"#;

fn policy() -> Policy {
    let claims = ClaimsPolicy {
        issuer: "http://a.org".into(),
        audience: "movies".into(),
        leeway_s: 5,
    };
    Policy::parse(
        RULES,
        "rules.toml",
        &Basis {
            claims,
            has_labels: true,
        },
    )
    .unwrap()
}

fn differences(cases: &str) -> Vec<String> {
    let cases = Cases::parse(cases, "cases.toml").unwrap();
    let differences = cases.differences(&policy());
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn cases_that_agree_say_nothing() {
    let agreeing = r#"
label.premium = { roles = ["subscriber"], anonymous = false }
case = [
    { method = "GET", uri = "/open", expect = 200 },
    { method = "GET", uri = "/admin", expect = 401 },
    { method = "GET", uri = "/admin", expect = 401, reason = "missing" },
    { method = "GET", uri = "/admin/x?a=b", roles = ["user"], expect = 403, reason = "role" },
    { method = "GET", uri = "/admin/x", roles = ["user", "admin"], expect = 200 },
    { method = "GET", uri = "/admin/x", superuser = true, expect = 200 },
    { method = "GET", uri = "/else", expect = 401 },
    { method = "GET", uri = "/else", roles = [], expect = 200 },
    { method = "GET", uri = "/a//b", superuser = true, expect = 403, reason = "request" },
    { method = "GET", uri = "/hosted", roles = [], expect = 403, reason = "request" },
    { method = "GET", uri = "/hosted", host = "A.org:80", roles = [], expect = 200 },
    { method = "GET", uri = "/open", film_labels = ["premium"], expect = 200 },
]
"#;
    assert_eq!(differences(agreeing), [""; 0]);
}

#[test]
fn the_labels_that_are_assumed_decide() {
    let agreeing = r#"
label.premium = { roles = ["subscriber", "editor"] }
label.kids = { anonymous = true }
label.nobody = {}
case = [
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789AB", expect = 200 },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", film_labels = ["premium"], expect = 401, reason = "missing" },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", film_labels = ["kids"], expect = 200 },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", film_labels = ["kids", "premium"], roles = ["user"], expect = 403, reason = "label" },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", film_labels = ["kids", "premium"], roles = ["editor"], expect = 200 },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", film_labels = ["nobody"], roles = ["editor"], expect = 403, reason = "label" },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", film_labels = ["nobody"], superuser = true, expect = 200 },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab", roles = [], expect = 200 },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab/cast", roles = [], expect = 403, reason = "role" },
    { method = "GET", uri = "/films/0192f0c1-2345-7abc-8def-0123456789ab/cast", film_labels = ["premium"], roles = ["user"], expect = 403, reason = "label" },
    { method = "GET", uri = "/films/1", superuser = true, expect = 403, reason = "request" },
]
"#;
    assert_eq!(differences(agreeing), [""; 0]);
    let differing = "label.premium = { roles = [\"subscriber\"] }\n[[case]]\nmethod = \"GET\"\n\
        uri = \"/films/0192f0c1-2345-7abc-8def-0123456789ab\"\nfilm_labels = [\"premium\"]\nroles = [\"user\"]\n\
        expect = 200\n";
    assert_eq!(
        differences(differing),
        [
            "cases.toml:2: GET /films/0192f0c1-2345-7abc-8def-0123456789ab by a user with user, where the film carries premium\n  \
             - 200\n  + 403 label   (the rule on line 18)"
        ]
    );
}

#[test]
fn a_difference_says_where_what_and_why() {
    let cases = "[[case]]\nmethod = \"GET\"\nuri = \"/open\"\nexpect = 200\n\n\
        [[case]]\nmethod = \"GET\"\nuri = \"/admin/x\"\nroles = [\"user\"]\nexpect = 200\n\n\
        [[case]]\nmethod = \"GET\"\nuri = \"/else\"\nroles = []\nexpect = 403\nreason = \"role\"\n";
    assert_eq!(
        differences(cases),
        [
            "cases.toml:6: GET /admin/x by a user with user\n  - 200\n  + 403 role   (the rule on line 5)",
            "cases.toml:12: GET /else by a user without roles\n  - 403 role\n  + 200   (the default)",
        ]
    );
}

#[test]
fn a_table_that_cannot_be_meant_is_refused_with_its_place() {
    for (text, place) in [
        ("", "c:1:1: "),
        ("[[case]]\nmethod = \"GET\"\nuri = \"/\"\n", "c:1:1: "),
        (
            "[[case]]\nmethod = \"GET\"\nuri = \"/\"\nexpect = 404\n",
            "c:4:10: ",
        ),
        (
            "[[case]]\nmethod = \"GET\"\nuri = \"/\"\nexpect = 403\nreason = \"missing\"\n",
            "c:5:10: ",
        ),
        (
            "[[case]]\nmethod = \"GET\"\nuri = \"/\"\nexpect = 403\nfilm_labels = [\"x\"]\n",
            "c:5:16: ",
        ),
        ("[[case]]\nmethd = \"GET\"\n", "c:2:1: "),
        (
            "label.Kids = {}\n[[case]]\nmethod = \"GET\"\nuri = \"/\"\nexpect = 200\n",
            "c:1:7: \"Kids\" is no label: a label name is 2 to 64 characters",
        ),
        (
            "[label.kids]\nrole = []\n[[case]]\nmethod = \"GET\"\nuri = \"/\"\nexpect = 200\n",
            "c:2:1: ",
        ),
    ] {
        let error = Cases::parse(text, "c").unwrap_err().to_string();
        assert!(error.starts_with(place), "{text}\n{error}");
    }
}
