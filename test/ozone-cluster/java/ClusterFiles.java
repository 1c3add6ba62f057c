import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Many file-system operations in one JVM, for tests: a CLI call costs about a second, a call here some milliseconds.
 *
 * <pre>
 *   ready  URL...    waits until a file can be written into bucket "ready" of volume "ready" of each service (60 s at most)
 *   change URL       operations on the bucket URL from stdin, one per line, fields split by a tab, names URL-encoded:
 *                    mkdir NAME | put NAME SIZE SEED | text NAME CONTENT | rm NAME | rmr NAME | mv FROM TO
 *   fill   URL       the same operations, many at once and in any order
 *   tree   URL...    for each URL every directory and file below it: "D - - NAME" | "F LENGTH SHA256 NAME" (tabs), then
 *                    "END COUNT"; the digest is taken from all bytes of the file, as read
 *   await  URL PREFIX COUNT MS   looks every MS milliseconds (120 s at most) until an entry of the directory URL whose name
 *                    begins with PREFIX holds COUNT entries; prints its name
 * </pre>
 */
public final class ClusterFiles {
  private static final ThreadLocal<byte[]> BUFFER = ThreadLocal.withInitial(() -> new byte[1 << 16]);

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    switch (args[0]) {
      case "ready":
        for (String url : Arrays.asList(args).subList(1, args.length)) ready(URI.create(url));
        break;
      case "change":
        change(URI.create(args[1]));
        break;
      case "fill":
        fill(URI.create(args[1]));
        break;
      case "tree":
        for (String url : Arrays.asList(args).subList(1, args.length)) tree(URI.create(url), out);
        break;
      case "await":
        await(URI.create(args[1]), args[2], Integer.parseInt(args[3]), Integer.parseInt(args[4]), out);
        break;
      default:
        throw new IllegalArgumentException("unknown command " + args[0]);
    }
    out.flush();
    System.exit(0);
  }

  private static FileSystem fileSystem(URI url) throws IOException {
    return FileSystem.newInstance(url, new Configuration());
  }

  private static void ready(URI service) throws Exception {
    long deadline = System.nanoTime() + 60_000_000_000L;
    while (true) {
      try (FileSystem fs = fileSystem(service); FSDataOutputStream out = fs.create(new Path(service.getScheme(), service.getAuthority(), "/ready/ready/probe"), true)) {
        out.write('x');
        return;
      } catch (IOException notYet) {
        if (System.nanoTime() > deadline) throw notYet;
        Thread.sleep(250);
      }
    }
  }

  private static void change(URI bucket) throws Exception {
    try (FileSystem fs = fileSystem(bucket);
        BufferedReader operations = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = operations.readLine(); line != null; line = operations.readLine()) {
        String[] field = line.split("\t", -1);
        if (!apply(fs, bucket, field)) throw new IOException("the file system answered false: " + line);
      }
    }
  }

  /** Ozone writes what arrives together in one go: many keys cost little more than one. */
  private static void fill(URI bucket) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(64);
    try (FileSystem fs = fileSystem(bucket);
        BufferedReader operations = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      List<Future<Boolean>> answers = new ArrayList<>();
      for (String line = operations.readLine(); line != null; line = operations.readLine()) {
        String[] field = line.split("\t", -1);
        answers.add(threads.submit(() -> apply(fs, bucket, field)));
      }
      for (Future<Boolean> answer : answers) if (!answer.get()) throw new IOException("the file system answered false");
    } finally {
      threads.shutdownNow();
    }
  }

  private static boolean apply(FileSystem fs, URI bucket, String[] field) throws IOException {
    Path path = path(bucket, field[1]);
    switch (field[0]) {
      case "mkdir":
        return fs.mkdirs(path);
      case "put":
        put(fs, path, Long.parseLong(field[2]), Long.parseLong(field[3]));
        return true;
      case "text":
        try (FSDataOutputStream out = fs.create(path, true)) {
          out.write(decoded(field[2]).getBytes(StandardCharsets.UTF_8));
        }
        return true;
      case "rm":
        return fs.delete(path, false);
      case "rmr":
        return fs.delete(path, true);
      case "mv":
        return fs.rename(path, path(bucket, field[2]));
      default:
        throw new IllegalArgumentException("unknown operation " + field[0]);
    }
  }

  /** The same size and seed give the same bytes; another seed gives other bytes of the same size. */
  private static void put(FileSystem fs, Path path, long size, long seed) throws IOException {
    Random random = new Random(seed);
    byte[] buffer = BUFFER.get();
    try (FSDataOutputStream out = fs.create(path, true)) {
      for (long left = size; left > 0; left -= buffer.length) {
        random.nextBytes(buffer);
        out.write(buffer, 0, (int) Math.min(left, buffer.length));
      }
    }
  }

  private static void tree(URI url, PrintStream out) throws Exception {
    try (FileSystem fs = fileSystem(url)) {
      Path root = new Path(url);
      out.println("END\t" + walk(fs, root, root.toUri().getPath().length() + 1, out));
    }
  }

  private static long walk(FileSystem fs, Path directory, int rootLength, PrintStream out) throws Exception {
    long count = 0;
    for (FileStatus entry : fs.listStatus(directory)) {
      String name = URLEncoder.encode(entry.getPath().toUri().getPath().substring(rootLength), "UTF-8").replace("+", "%20");
      if (entry.isDirectory()) {
        out.println("D\t-\t-\t" + name);
        count += 1 + walk(fs, entry.getPath(), rootLength, out);
      } else {
        long[] length = new long[1];
        String digest = digest(fs, entry.getPath(), length);
        if (length[0] != entry.getLen()) throw new IOException(entry + " has " + length[0] + " bytes to read");
        out.println("F\t" + length[0] + "\t" + digest + "\t" + name);
        count += 1;
      }
    }
    return count;
  }

  private static String digest(FileSystem fs, Path file, long[] length) throws Exception {
    MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
    byte[] buffer = BUFFER.get();
    try (FSDataInputStream in = fs.open(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        sha256.update(buffer, 0, n);
        length[0] += n;
      }
    }
    StringBuilder hex = new StringBuilder();
    for (byte b : sha256.digest()) hex.append(String.format("%02x", b));
    return hex.toString();
  }

  private static void await(URI url, String prefix, int count, int every, PrintStream out) throws Exception {
    long deadline = System.nanoTime() + 120_000_000_000L;
    try (FileSystem fs = fileSystem(url)) {
      while (System.nanoTime() < deadline) {
        for (FileStatus entry : fs.listStatus(new Path(url))) {
          if (entry.getPath().getName().startsWith(prefix) && entriesOf(fs, entry.getPath()) >= count) {
            out.println(entry.getPath().getName());
            out.flush();
            return;
          }
        }
        Thread.sleep(every);
      }
    }
    throw new IOException("no " + prefix + "* with " + count + " entries appeared in " + url);
  }

  /** 0 for one that has gone since it was listed. */
  private static int entriesOf(FileSystem fs, Path directory) throws IOException {
    try {
      return fs.listStatus(directory).length;
    } catch (FileNotFoundException gone) {
      return 0;
    }
  }

  private static Path path(URI bucket, String encodedName) throws IOException {
    return new Path(bucket.getScheme(), bucket.getAuthority(), bucket.getPath() + "/" + decoded(encodedName));
  }

  private static String decoded(String value) throws IOException {
    return URLDecoder.decode(value, "UTF-8");
  }
}
