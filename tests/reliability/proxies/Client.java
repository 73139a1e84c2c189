// Java's own client. `java Client batch URL KEY FILE chunked|length` writes the answer to a batch; `java Client refusals URL COUNT FILE` sends a body
// without a key COUNT times, each time by a new client that wishes to upgrade to HTTP/2, and writes how many whole answers of 401 came.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;

public class Client {
  public static void main(String[] args) throws Exception {
    URI uri = URI.create(args[1]);
    Path file = Path.of(args[3]);
    if (args[0].equals("refusals")) {
      System.out.println(refusals(uri, Integer.parseInt(args[2]), Files.readAllBytes(file)));
      System.exit(0);
    }
    HttpRequest.BodyPublisher body =
        args[4].equals("chunked")
            ? HttpRequest.BodyPublishers.ofInputStream(() -> open(file))
            : HttpRequest.BodyPublishers.ofFile(file);
    HttpRequest request =
        HttpRequest.newBuilder(uri)
            .header("x-api-key", args[2])
            .header("content-type", "application/x-ndjson")
            .POST(body)
            .build();
    HttpResponse<byte[]> answer =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofByteArray());
    System.out.write(answer.body());
    System.out.flush();
    System.exit(answer.statusCode() == 200 ? 0 : 1);
  }

  static java.io.InputStream open(Path file) {
    try {
      return Files.newInputStream(file);
    } catch (java.io.IOException error) {
      throw new java.io.UncheckedIOException(error);
    }
  }

  static Map<String, Integer> refusals(URI uri, int count, byte[] body) {
    Map<String, Integer> outcomes = new TreeMap<>();
    for (int nth = 0; nth < count; nth++) {
      HttpRequest request =
          HttpRequest.newBuilder(uri)
              .header("content-type", "application/json")
              .timeout(Duration.ofSeconds(20))
              .POST(HttpRequest.BodyPublishers.ofByteArray(body))
              .build();
      String outcome;
      try {
        HttpResponse<String> answer =
            HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        outcome = answer.statusCode() + " " + answer.body().strip();
      } catch (Exception error) {
        outcome = error.toString();
      }
      outcomes.merge(outcome, 1, Integer::sum);
    }
    return outcomes;
  }
}
