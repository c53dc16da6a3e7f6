-- Terminals that ask to sign in: a person confirms the code in a browser, and the terminal fetches its key, once. Only
-- hashes of both codes are kept. The key has the terminal's name.
create table device_logins (
    id text primary key,
    user_code text not null,
    host text not null,
    client text not null,
    address text not null,
    state text not null,
    workspace text not null,
    person text not null,
    life integer not null,
    created_at integer not null,
    expires_at integer not null
) strict, without rowid;
create unique index device_logins_by_code on device_logins (user_code);
create index device_logins_expired on device_logins (expires_at);
alter table keys add column name text not null default '';
