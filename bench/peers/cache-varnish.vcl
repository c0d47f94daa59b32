# Varnish as it comes, with one rule: an answer with an ETag that says that it is stale at once is kept all the same, so
# that a 304 can confirm it; Varnish's own rule forgets it and fetches the whole again. @…@ are filled in at run time.
vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "@origin@";
}

sub vcl_backend_response {
    if (beresp.http.ETag && beresp.http.Cache-Control ~ "(^|,) *(max-age=0|no-cache)( *,|$)") {
        set beresp.ttl = 0.001s;         # with none at all it does not ask by the ETag
        set beresp.grace = 0s;
        set beresp.keep = 1d;
        return (deliver);
    }
}
