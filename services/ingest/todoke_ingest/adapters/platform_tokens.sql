-- name: begin!
-- Begin with the configured refresh token; and begin anew when another is configured.
INSERT INTO platform_tokens AS t (platform, shop, began_with, refresh_token) VALUES ($1, $2, $3, $4)
ON CONFLICT (platform, shop) DO UPDATE
   SET began_with = excluded.began_with, refresh_token = excluded.refresh_token,
       access_token = NULL, expires_at = NULL, refreshing_until = NULL
 WHERE t.began_with <> excluded.began_with;

-- name: access_token
-- The token that is good beyond $3.
SELECT access_token FROM platform_tokens WHERE platform = $1 AND shop = $2 AND expires_at > $3;

-- name: claim_refresh
-- A refresh token is good for one use: only who gets it from here may use it, until $4. Nobody does who looked before
-- another brought the token that is now good beyond $5.
UPDATE platform_tokens SET refreshing_until = $4
 WHERE platform = $1 AND shop = $2 AND (refreshing_until IS NULL OR refreshing_until <= $3)
   AND (expires_at IS NULL OR expires_at <= $5)
RETURNING refresh_token;

-- name: keep!
-- The new pair. $3 is the refresh token it came for: what was configured anew meanwhile stays.
UPDATE platform_tokens SET access_token = $4, expires_at = $5, refresh_token = $6, refreshing_until = NULL
 WHERE platform = $1 AND shop = $2 AND refresh_token = $3;

-- name: give_up_refresh!
-- The refresh came to nothing; the next may try.
UPDATE platform_tokens SET refreshing_until = NULL WHERE platform = $1 AND shop = $2;

-- name: expire!
-- The shop no longer takes this access token.
UPDATE platform_tokens SET expires_at = NULL WHERE platform = $1 AND shop = $2 AND access_token = $3;
