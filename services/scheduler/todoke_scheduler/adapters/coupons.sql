-- name: assign_codes
-- The code of pool $1 for each step (of the runs $2, the steps $3, the people $4): the one that it has, or the next free
-- one. Codes that another scheduler is giving away at this moment are left to it.
WITH wanted AS (
    SELECT w.enrolment_id, w.step, w.person_id, row_number() OVER (ORDER BY w.place) AS number
      FROM unnest($2::uuid[], $3::text[], $4::uuid[]) WITH ORDINALITY AS w (enrolment_id, step, person_id, place)
     WHERE NOT EXISTS (
        SELECT FROM coupon_codes c WHERE c.enrolment_id = w.enrolment_id AND c.step = w.step
     )
), free AS (
    SELECT code, row_number() OVER (ORDER BY place) AS number FROM (
        SELECT code, place FROM coupon_codes WHERE pool = $1 AND enrolment_id IS NULL
         ORDER BY place LIMIT (SELECT count(*) FROM wanted) FOR UPDATE SKIP LOCKED
    ) AS next
), given AS (
    UPDATE coupon_codes c SET enrolment_id = w.enrolment_id, step = w.step, person_id = w.person_id, assigned_at = $5
      FROM wanted w JOIN free f USING (number)
     WHERE c.pool = $1 AND c.code = f.code
    RETURNING c.enrolment_id, c.step, c.code
)
SELECT * FROM given
UNION ALL
SELECT c.enrolment_id, c.step, c.code
  FROM coupon_codes c JOIN unnest($2::uuid[], $3::text[]) AS w (enrolment_id, step) USING (enrolment_id, step);

-- name: add_pool!
-- The pool is there.
INSERT INTO coupon_pools (pool) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: add_codes
-- Those of the codes $2 that are new in pool $1.
INSERT INTO coupon_codes (pool, code) SELECT $1, code FROM unnest($2::text[]) WITH ORDINALITY AS n (code, place)
 ORDER BY place
ON CONFLICT DO NOTHING RETURNING code;

-- name: pools_with_codes
-- Those of the pools $1 that have a code to give.
SELECT w.pool FROM unnest($1::text[]) AS w (pool)
 WHERE EXISTS (SELECT FROM coupon_codes c WHERE c.pool = w.pool AND c.enrolment_id IS NULL);

-- name: list_pools
-- Every pool and how its codes stand; the segmenter knows which were redeemed, by the orders that named them.
SELECT p.pool,
       count(c.code) FILTER (WHERE c.enrolment_id IS NULL) AS unused,
       count(c.code) FILTER (WHERE c.enrolment_id IS NOT NULL) AS assigned,
       count(c.code) FILTER (WHERE s.state #>> ARRAY['coupons', c.code, 'redeemed_at'] IS NOT NULL) AS redeemed
  FROM coupon_pools p LEFT JOIN coupon_codes c USING (pool)
  LEFT JOIN segmenter.published_states s ON s.person_id = c.person_id
 GROUP BY p.pool ORDER BY p.pool;
