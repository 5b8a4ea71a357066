//! The third parties' servers themselves: they come up, they keep apart, they go away.

use crate::support::account::HOME_REGION;
use crate::support::servers::{ministack_account, moto, moto_account, own_moto};

#[tokio::test]
async fn both_servers_take_and_give_back_an_object() {
    for account in [moto_account(), ministack_account()] {
        let s3 = account.s3(HOME_REGION);
        let bucket = "take-and-give";
        s3.create_bucket().bucket(bucket).send().await.expect("a new bucket");
        let put = s3.put_object().bucket(bucket).key("k").body(b"word".to_vec().into());
        put.send().await.expect("an object goes in");
        let got = s3.get_object().bucket(bucket).key("k").send().await.expect("and comes out");
        let body = got.body.collect().await.expect("whole").into_bytes();
        assert_eq!(&body[..], b"word", "{}", account.server);
    }
}

#[test]
fn the_same_process_shares_one_server() {
    assert_eq!(moto().endpoint(), moto().endpoint());
}

#[test]
fn a_server_ends_with_whoever_started_it() {
    let mut left = own_moto();
    assert!(left.ends_when_let_go(), "a killed test must leave no server behind");

    let dropped = own_moto();
    let endpoint = dropped.endpoint();
    drop(dropped);
    let address = endpoint.strip_prefix("http://").expect("an http endpoint");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}
