use std::os::unix::fs::PermissionsExt;

use tokio::net::UnixStream;

use super::*;

#[tokio::test]
async fn a_unix_socket_is_served_and_cleaned_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let address = ListenAddress::Unix(path.clone());
    let listener = Listener::bind(&address, 0o600).await.unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let server = Server::start(listener, ServeOptions::default(), Arc::new(Notify::new()));
    let mut connection = UnixStream::connect(&path).await.unwrap();
    assert!(
        ask(&mut connection, "/u")
            .await
            .unwrap()
            .ends_with("unix /u HTTP/1.1")
    );

    let error = Listener::bind(&address, 0o600).await.unwrap_err();
    assert!(matches!(error, ListenError::InUse { .. }), "{error}");
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let address = ListenAddress::Unix(path.clone());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listener = Listener::bind(&address, UNIX_SOCKET_MODE).await.unwrap();
    UnixStream::connect(&path).await.unwrap();

    // A successor's socket stays when the predecessor goes.
    std::fs::remove_file(&path).unwrap();
    let successor = Listener::bind(&address, UNIX_SOCKET_MODE).await.unwrap();
    drop(listener);
    assert!(path.exists());
    drop(successor);
    assert!(!path.exists());

    std::fs::write(&path, "precious").unwrap();
    let error = Listener::bind(&address, UNIX_SOCKET_MODE).await.unwrap_err();
    assert!(matches!(error, ListenError::NotASocket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}
