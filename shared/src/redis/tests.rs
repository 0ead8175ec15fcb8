//! Against real servers. That the settings fit together is in `settings`.

mod many;
mod secured;
mod settings;
mod single;

use std::time::Duration;

use ::redis::cmd;

use super::*;
use crate::testkit::RedisServer;

const OPTIONS: ConnectOptions = ConnectOptions {
    connect_timeout: Duration::from_secs(5),
    response_timeout: Some(Duration::from_secs(2)),
};

async fn connect(settings: &RedisSettings) -> Result<RedisConnection, RedisError> {
    RedisClient::open(settings)?.connect(OPTIONS).await
}

async fn ping(connection: &mut RedisConnection) -> ::redis::RedisResult<String> {
    cmd("PING").query_async(connection).await
}

fn secret(text: &str) -> Secret {
    crate::secret::SecretString::from(text).into()
}
