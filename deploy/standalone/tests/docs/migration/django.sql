-- The tables of django.contrib.auth, without the columns that nobody here reads.
CREATE TABLE auth_user (id serial PRIMARY KEY, username varchar(150) UNIQUE, password varchar(128), is_active boolean,
    is_superuser boolean, date_joined timestamptz);
CREATE TABLE auth_group (id serial PRIMARY KEY, name varchar(150) UNIQUE);
CREATE TABLE auth_user_groups (id serial PRIMARY KEY, user_id integer, group_id integer);
INSERT INTO auth_user (username, password, is_active, is_superuser, date_joined) VALUES
    ('neo', 'pbkdf2_sha256$1000$s4ltS4ltS4lt$iIs2VV927JaaDv8cdGq9Qw0T+Ro2DLp3I2PmcIBfZI0=', true, false, '2020-01-31T12:00:00Z'),
    ('trinity', 'bcrypt_sha256$$2b$04$WyXwQlFVcL/WVQBWxe/Z0uTZtu4yQkH5SV19WLL7b9RqrNjbEyVUO', true, true, '2020-01-31T12:00:00Z'),
    ('gone', 'pbkdf2_sha256$1000$s4ltS4ltS4lt$iIs2VV927JaaDv8cdGq9Qw0T+Ro2DLp3I2PmcIBfZI0=', false, false, '2020-01-31T12:00:00Z'),
    ('robot', '!Ks1D4jZ9kPuxGvSMyAWyW5fSdbuV8d3nbQ6WaLmE', true, false, '2020-01-31T12:00:00Z');
INSERT INTO auth_group (name) VALUES ('Role_Editor');
INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1);
