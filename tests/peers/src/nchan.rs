//! nchan: nginx with a module that fans events out.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use messenger_devstack::debian::{Program, ensure as install};
use messenger_devstack::process::{Launch, traced};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const PACKAGE: &str = "libnginx-mod-nchan";
const NGINX: Program = Program { name: "nginx", package: PACKAGE };
/// The module, as devstack looks for it: an absolute name is its own path.
const NCHAN: Program = Program { name: MODULE, package: PACKAGE };
pub(crate) const STREAM: &str = "/stream";
pub(crate) const PUBLISH: &str = "/publish";

/// Installs nchan if it is missing, and returns the launch of an instance with its files in `directory`.
pub(crate) async fn launch(directory: &Path, port: u16, workers: usize) -> Result<Launch> {
    install(&[NGINX, NCHAN], &traced()).await.context("nchan can be left out with --who")?;
    let program = NGINX.path().context("nginx is missing")?;
    fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let file = directory.join("nginx.conf");
    fs::write(&file, configuration(directory, port, workers))?;
    Ok(Launch::new("nchan", program).args(["-e", "stderr", "-p"]).arg(directory).arg("-c").arg(&file))
}

/// Returns a configuration that keeps messages for readers that reconnect, and logs nothing.
fn configuration(directory: &Path, port: u16, workers: usize) -> String {
    let place = directory.display();
    format!(
        "load_module {MODULE};
daemon off;
user root;
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {place}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 16000; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    gzip off;
    keepalive_requests 100000000;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    nchan_shared_memory_size 256m;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /livez {{ return 200; }}
        location = {PUBLISH} {{
            nchan_publisher;
            nchan_channel_id bench;
            nchan_message_buffer_length 10000;
            nchan_message_timeout 1m;
        }}
        location = {STREAM} {{
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
            nchan_eventsource_ping_interval 15;
        }}
    }}
}}
"
    )
}
