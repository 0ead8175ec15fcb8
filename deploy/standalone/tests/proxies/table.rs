//! The same table of decisions through every front end.

use crate::client::{Ask, HOST};
use crate::echo::Seen;
use crate::front_end::Kind;
use crate::stand::{RULES, Stand};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Anonymous,
    User,
    Subscriber,
    Admin,
    Superuser,
    Expired,
    BadSignature,
    WrongAudience,
    /// Two tokens, either of them good.
    Twice,
    /// By cookie.
    Cookie,
    ExpiredCookie,
}

/// What shall come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The service sees the very path that was judged.
    Allowed,
    /// This status, of the verifier.
    Refused(u16),
    /// The path or the method has more than one reading, or none: refused, by the front end itself or by the verifier.
    Unreadable,
    /// Allowed, or refused by a front end that never takes such a request.
    AllowedIfTaken,
    /// Refused with this status, or by a front end that never takes such a request.
    RefusedIfTaken(u16),
    /// Refused; a front end that decodes every target and encodes it again asks about what the service then sees.
    UnreadableAsSent,
}

use Caller::{
    Admin, Anonymous, BadSignature, Cookie, Expired, ExpiredCookie, Subscriber, Superuser, Twice, User,
    WrongAudience,
};
use Expected::{Allowed, AllowedIfTaken, Refused, RefusedIfTaken, Unreadable, UnreadableAsSent};

const FILM: &[u8] = b"/films/7c9e6679-7425-40de-944b-e07fc1f90ae7";

/// Rule × caller × method.
const CALLERS: &[(&str, &[u8], Caller, Expected)] = &[
    ("GET", b"/", Anonymous, Allowed),
    ("GET", b"/anything", Anonymous, Allowed),
    ("GET", b"/anything", User, Allowed),
    ("GET", b"/anything", BadSignature, Refused(401)),
    ("GET", b"/anything", Expired, Refused(401)),
    ("GET", b"/anything", ExpiredCookie, Allowed),
    ("GET", b"/open", Anonymous, Allowed),
    ("GET", b"/open/a/b", Anonymous, Allowed),
    ("POST", b"/open/a", Anonymous, Allowed),
    ("PUT", b"/open/a", User, Allowed),
    ("DELETE", b"/open/a", Anonymous, Allowed),
    ("PATCH", b"/open/a", Anonymous, Allowed),
    ("OPTIONS", b"/open/a", Anonymous, Allowed),
    ("HEAD", b"/open/a", Anonymous, Allowed),
    ("GET", b"/open", Twice, RefusedIfTaken(401)),
    ("GET", b"/open", WrongAudience, Refused(401)),
    ("GET", b"/me", Anonymous, Refused(401)),
    ("GET", b"/me", User, Allowed),
    ("GET", b"/me", Cookie, Allowed),
    ("GET", b"/me", ExpiredCookie, Refused(401)),
    ("GET", b"/me", Expired, Refused(401)),
    ("GET", b"/me", BadSignature, Refused(401)),
    ("GET", b"/me", WrongAudience, Refused(401)),
    ("GET", b"/me", Twice, RefusedIfTaken(401)),
    ("POST", b"/me/settings", Cookie, Allowed),
    ("OPTIONS", b"/me", Anonymous, Refused(401)),
    ("HEAD", b"/me", Anonymous, Refused(401)),
    ("GET", b"/admin", Anonymous, Refused(401)),
    ("GET", b"/admin", User, Refused(403)),
    ("GET", b"/admin", Subscriber, Refused(403)),
    ("GET", b"/admin", Admin, Allowed),
    ("GET", b"/admin", Superuser, Allowed),
    ("DELETE", b"/admin/users/1", Admin, Allowed),
    ("DELETE", b"/admin/users/1", User, Refused(403)),
    ("GET", FILM, Anonymous, Refused(401)),
    ("GET", FILM, User, Refused(403)),
    ("GET", FILM, Subscriber, Allowed),
    ("HEAD", FILM, Subscriber, Allowed),
    ("POST", FILM, Subscriber, Refused(403)),
    ("OPTIONS", FILM, Subscriber, Refused(403)),
    ("PUT", FILM, Superuser, Allowed),
    ("get", b"/open", Anonymous, Unreadable),
    ("Get", b"/admin", Admin, Unreadable),
    ("post", b"/open", Anonymous, Unreadable),
    ("CONNECT", b"/open", Anonymous, Unreadable),
];

/// Forms of paths.
const PATHS: &[(&[u8], Caller, Expected)] = &[
    // One reading.
    (b"/admin/", Anonymous, Refused(401)),
    (b"/admin/", Admin, Allowed),
    (b"/open/", Anonymous, Allowed),
    (b"/%61dmin", Anonymous, Refused(401)),
    (b"/%61dmin", Admin, Allowed),
    (b"/adm%69n/x", User, Refused(403)),
    (b"/ope%6E", Anonymous, Allowed),
    (b"/open/a%20b", Anonymous, Allowed),
    (b"/open/a+b", Anonymous, Allowed),
    (b"/open/a%2Bb", Anonymous, Allowed),
    (b"/open/a:b@c,d!e$f&g'h(i)*=~-._", Anonymous, Allowed),
    (b"/open/100%25", Anonymous, Allowed),
    (b"/open/%D0%BA%D0%B8%D0%BD%D0%BE", Anonymous, Allowed),
    (b"/%D0%BA%D0%B8%D0%BD%D0%BE", Anonymous, Refused(401)),
    (b"/%d0%ba%d0%b8%d0%bd%d0%be/x", User, Allowed),
    (b"/ADMIN", Anonymous, Allowed),
    (b"/administrator", Anonymous, Allowed),
    (b"/open?to=/admin", Anonymous, Allowed),
    (b"/open?a=%2F..%2Fadmin&b=//c;d\\e", Anonymous, Allowed),
    (b"/admin?x=/open", Anonymous, Refused(401)),
    (b"/admin?", Anonymous, Refused(401)),
    (b"/open/...", Anonymous, Allowed),
    (b"/open/.hidden", Anonymous, Allowed),
    // More than one, or none.
    (b"/open/../admin", Anonymous, Unreadable),
    (b"/admin/../open", Anonymous, Unreadable),
    (b"/admin/../open", Admin, Unreadable),
    (b"/open/./admin", Anonymous, Unreadable),
    (b"/./admin", Anonymous, Unreadable),
    (b"/admin/.", Admin, Unreadable),
    (b"/open/..", Anonymous, Unreadable),
    (b"/..", Anonymous, Unreadable),
    (b"/../admin", Anonymous, Unreadable),
    (b"/open/%2e%2e/admin", Anonymous, Unreadable),
    (b"/open/%2E./admin", Anonymous, Unreadable),
    (b"/open/.%2e/admin", Anonymous, Unreadable),
    (b"/%2e/admin", Anonymous, Unreadable),
    (b"//admin", Anonymous, Unreadable),
    (b"/open//admin", Anonymous, Unreadable),
    (b"/admin//", Admin, Unreadable),
    (b"//evil.example.org/admin", Anonymous, Unreadable),
    (b"///admin", Anonymous, Unreadable),
    (b"/open%2Fadmin", Anonymous, Unreadable),
    (b"/open%2fadmin", Admin, Unreadable),
    (b"/open/%2Fadmin", Anonymous, Unreadable),
    (b"/open%5Cadmin", Anonymous, Unreadable),
    (b"/open\\..\\admin", Anonymous, Unreadable),
    (b"/open\\admin", Admin, Unreadable),
    (b"/open;a=b", Anonymous, Unreadable),
    (b"/admin;a", Admin, Unreadable),
    (b"/open;/../admin", Anonymous, Unreadable),
    (b"/open%3Ba", Anonymous, Unreadable),
    (b"/open%00", Anonymous, Unreadable),
    (b"/admin%00/x", Admin, Unreadable),
    (b"/open\0", Anonymous, Unreadable),
    (b"/open%0a", Anonymous, Unreadable),
    (b"/open%0D%0AX-Auth-Subject:%20a", Anonymous, Unreadable),
    (b"/open%7F", Anonymous, Unreadable),
    (b"/open\x01", Anonymous, Unreadable),
    (b"/open%C2%85", Anonymous, Unreadable),
    (b"/%2561dmin", Anonymous, Unreadable),
    (b"/open%252e%252e/admin", Anonymous, Unreadable),
    (b"/open%252Fadmin", Admin, Unreadable),
    (b"/open%", Anonymous, Unreadable),
    (b"/open%4", Anonymous, Unreadable),
    (b"/open%zz", Anonymous, Unreadable),
    (b"/open%u0061", Anonymous, Unreadable),
    (b"/open/%C0%AE%C0%AE/admin", Anonymous, Unreadable),
    (b"/open%C0%AFadmin", Anonymous, Unreadable),
    (b"/open/%E0%80%AF", Anonymous, Unreadable),
    (b"/open/%FF", Anonymous, Unreadable),
    (b"/open/%ED%A0%80", Anonymous, Unreadable),
    (b"/open/\xC0\xAE\xC0\xAE/admin", Anonymous, Unreadable),
    (b"/open/\xFF", Anonymous, Unreadable),
    (b"/open/\xC3\xA9", Anonymous, UnreadableAsSent),
    (
        b"/\xD0\xBA\xD0\xB8\xD0\xBD\xD0\xBE",
        Anonymous,
        RefusedIfTaken(401),
    ),
    (b"/open/a|b", Anonymous, Allowed),
    (b"/open/a\"<>^`{}", Anonymous, AllowedIfTaken),
    (b"/open#a", Anonymous, UnreadableAsSent),
    (b"/open#/../admin", Anonymous, UnreadableAsSent),
    (b"/admin#/open", Anonymous, RefusedIfTaken(401)),
    (b"*", Anonymous, Unreadable),
    (b"admin", Anonymous, Unreadable),
    (b"open", Anonymous, Unreadable),
];

/// Hosts, and whole URLs in the request line.
const HOSTS: &[(&[u8], &str, Caller, Expected)] = &[
    (b"/hosted/a", HOST, Anonymous, Allowed),
    (b"/hosted/a", "members.example.org", Anonymous, Refused(401)),
    (b"/hosted/a", "members.example.org", User, Allowed),
    (b"/hosted/a", "MEMBERS.Example.ORG", Anonymous, Refused(401)),
    (b"/hosted/a", "members.example.org:80", Anonymous, Refused(401)),
    (b"/hosted/a", "members.example.org:8443", Anonymous, Refused(401)),
    (b"/hosted/a", "members.example.org.", Anonymous, Refused(401)),
    (b"/hosted/a", "members.example.org.evil", Anonymous, Allowed),
    (b"/hosted/a", "a@members.example.org", User, Unreadable),
    (b"/hosted/a", "members.example.org/x", User, Unreadable),
    (b"http://movies.example.org/open", HOST, Anonymous, AllowedIfTaken),
    (
        b"http://movies.example.org/admin",
        HOST,
        Anonymous,
        RefusedIfTaken(401),
    ),
    (b"http://movies.example.org/admin", HOST, Admin, AllowedIfTaken),
    (
        b"http://movies.example.org/open/../admin",
        HOST,
        Anonymous,
        Unreadable,
    ),
    (b"http://movies.example.org//admin", HOST, Anonymous, Unreadable),
    (
        b"http://members.example.org/hosted/a",
        HOST,
        Anonymous,
        RefusedIfTaken(401),
    ),
    (b"http:/admin", HOST, Anonymous, RefusedIfTaken(401)),
];

#[tokio::test]
async fn every_front_end_decides_alike() {
    let stand = Stand::start(&Kind::ALL, RULES).await;
    let mut differing = Vec::new();
    let callers = CALLERS.iter().map(|row| (row.0, row.1, HOST, row.2, row.3));
    let paths = PATHS.iter().map(|row| ("GET", row.0, HOST, row.1, row.2));
    let hosts = HOSTS.iter().map(|row| ("GET", row.0, row.1, row.2, row.3));
    let rows: Vec<_> = callers.chain(paths).chain(hosts).collect();
    assert!(rows.len() >= 60);
    for (method, target, host, caller, expected) in rows {
        let ask = caller.as_asked(&stand, Ask::new(method, target).host(host));
        for front_end in &stand.front_ends {
            let status = front_end.send(&ask).await.status;
            let seen = stand.echo.take_seen();
            if let Err(problem) = check(expected, status, target, front_end.kind, method, &seen) {
                let target = String::from_utf8_lossy(target);
                differing.push(format!(
                    "{}: {method} {target:?} of {host} by {caller:?}: {expected:?}, but {problem}",
                    front_end.kind
                ));
            }
        }
    }
    assert!(
        differing.is_empty(),
        "{} decisions differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}

impl Caller {
    fn as_asked(self, stand: &Stand, ask: Ask) -> Ask {
        let forge = stand.forge();
        let cookie = |token: String| format!("theme=dark; __Host-access_token={token}");
        match self {
            Anonymous => ask,
            User => ask.bearer(&forge.token()),
            Subscriber => ask.bearer(&forge.roles(&["subscriber"]).token()),
            Admin => ask.bearer(&forge.roles(&["admin"]).token()),
            Superuser => ask.bearer(&forge.claim("superuser", true).token()),
            Expired => ask.bearer(&forge.claim("exp", 1_000_000_000).token()),
            BadSignature => {
                let token = forge.token();
                let (signed, _) = token.rsplit_once('.').unwrap();
                let other = forge.claim("sub", "somebody").token();
                let (_, signature) = other.rsplit_once('.').unwrap();
                ask.bearer(&format!("{signed}.{signature}"))
            }
            WrongAudience => ask.bearer(&forge.claim("aud", "elsewhere").token()),
            Twice => ask.bearer(&forge.token()).bearer(&forge.token()),
            Cookie => ask.header("Cookie", &cookie(forge.token())),
            ExpiredCookie => ask.header("Cookie", &cookie(forge.claim("exp", 1_000_000_000).token())),
        }
    }
}

fn check(
    expected: Expected,
    status: u16,
    target: &[u8],
    kind: Kind,
    method: &str,
    seen: &[Seen],
) -> Result<(), String> {
    let is_refused = matches!(status, 0 | 400 | 403 | 404 | 405 | 501);
    match expected {
        AllowedIfTaken | UnreadableAsSent if is_refused && seen.is_empty() => return Ok(()),
        UnreadableAsSent if status == 200 && kind.respells() => {}
        Allowed | AllowedIfTaken if status == 200 => {}
        Refused(wanted) | RefusedIfTaken(wanted) if status == wanted && seen.is_empty() => return Ok(()),
        Unreadable | RefusedIfTaken(_) if is_refused && seen.is_empty() => return Ok(()),
        Allowed | AllowedIfTaken | Refused(_) | RefusedIfTaken(_) | Unreadable | UnreadableAsSent => {
            let targets: Vec<_> = seen
                .iter()
                .map(|seen| String::from_utf8_lossy(&seen.target))
                .collect();
            return Err(format!("{status}, and the service saw {targets:?}"));
        }
    }
    let [seen] = seen else {
        return Err(format!("the service saw {seen:?}"));
    };
    let judged = path_of(target);
    let got = path_of(&seen.target);
    let is_same = got == judged || kind.respells() && decoded(got) == decoded(judged);
    if seen.method == method && is_same {
        Ok(())
    } else {
        let got = String::from_utf8_lossy(&seen.target);
        Err(format!("the service saw {} {got:?}", seen.method))
    }
}

/// The path of a target: without scheme and host, without query and fragment.
fn path_of(target: &[u8]) -> &[u8] {
    let path = target.strip_prefix(b"http://").map_or(target, |rest| {
        let slash = rest.iter().position(|byte| *byte == b'/').unwrap();
        &rest[slash..]
    });
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap()
}

/// Decoded once, by the letter.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut bytes = path.iter();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if *byte == b'%' {
            let digits = [*bytes.next().unwrap(), *bytes.next().unwrap()];
            let digits = std::str::from_utf8(&digits).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            decoded.push(*byte);
        }
    }
    decoded
}
